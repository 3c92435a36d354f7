// YOLOv7's heads (models/yolo.py): one 1x1 convolution a level, decoded with anchors. IDetect and
// IAuxDetect wrap it in implicit knowledge, which is folded; IAuxDetect has a second, auxiliary set
// of convolutions on the second half of its sources, without implicit knowledge.
#include <utility>

#include "engine/base/str_cat.h"
#include "weights/import/lowering.h"

namespace yolocu {
namespace {

// The convolutions of one branch and the first of its sources.
struct AnchorBranch {
  std::string_view list;  // of `convs`
  std::vector<const Module*> convs;
  std::vector<const ImportedTensor*> add, multiply;  // one a level, or none
  size_t first_source = 0;
};

// The tensors "implicit" of a list of ImplicitA or ImplicitM, one a level.
Result<std::vector<const ImportedTensor*>> implicit_tensors(const Module& list, size_t levels) {
  std::vector<const ImportedTensor*> tensors;
  for (const auto& [name, module] : list.children) {
    tensors.push_back(module.tensor("implicit"));
    if (tensors.back() == nullptr) return corrupt(module.path + ": no tensor 'implicit'");
  }
  if (tensors.size() == levels) return tensors;
  return corrupt(str_cat(list.path, ": ", tensors.size(), " tensors for ", levels, " levels"));
}

// A model that was fused before it was saved keeps its implicit tensors, although they are folded
// into the convolutions already; the replaced `forward` tells.
bool is_folded_already(const Module& head) {
  return head.text("forward") == "fuseforward";
}

Status read_implicit(const Module& head, AnchorBranch* branch) {
  const Module* add = head.child("ia");
  const Module* multiply = head.child("im");
  if (is_folded_already(head) || (add == nullptr && multiply == nullptr)) return {};
  if (add == nullptr || multiply == nullptr) return corrupt("only one of 'ia' and 'im'");
  YOLOCU_ASSIGN_OR_RETURN(branch->add, implicit_tensors(*add, branch->convs.size()));
  YOLOCU_ASSIGN_OR_RETURN(branch->multiply, implicit_tensors(*multiply, branch->convs.size()));
  return {};
}

Result<AnchorBranch> read_branch(const Module& head, HeadBranch which, size_t sources) {
  const bool has_auxiliary = head.child("m2") != nullptr;
  if (which == HeadBranch::kAuxiliary && !has_auxiliary) {
    return unsupported("this head has no auxiliary branch");
  }
  const bool is_main = which == HeadBranch::kMain;
  AnchorBranch branch;
  branch.list = is_main ? "m" : "m2";
  YOLOCU_ASSIGN_OR_RETURN(const Module* list, require_child(head, branch.list));
  for (const auto& [name, conv] : list->children) branch.convs.push_back(&conv);
  const size_t levels = branch.convs.size();
  if (levels == 0 || sources != levels * (has_auxiliary ? 2 : 1)) {
    return corrupt(str_cat(sources, " inputs for ", levels, " levels"));
  }
  branch.first_source = is_main ? 0 : levels;
  if (is_main) YOLOCU_RETURN_IF_ERROR(read_implicit(head, &branch));
  return branch;
}

// Anchors in pixels, a list w0 h0 w1 h1 ... a level: `anchor_grid` [levels,1,A,1,1,2], or, where a
// file has none, `anchors` [levels,A,2] in units of the strides.
Result<std::vector<std::vector<float>>> read_anchors(const Module& head,
                                                     const std::vector<float>& strides) {
  const ImportedTensor* grid = head.tensor("anchor_grid");
  const ImportedTensor* anchors = grid != nullptr ? grid : head.tensor("anchors");
  if (anchors == nullptr) return corrupt("tensor 'anchor_grid' is missing");
  const size_t levels = strides.size();
  const std::vector<float> values = anchors->values();
  const size_t each = values.size() / levels;
  if (each == 0 || anchors->shape.empty() || anchors->shape[0] != static_cast<int64_t>(levels)) {
    return corrupt(str_cat("anchors ", shape_text(anchors->shape), " for ", levels, " levels"));
  }
  std::vector<std::vector<float>> lists(levels);
  for (size_t i = 0; i < levels * each; ++i) {
    const float unit = grid != nullptr ? 1.0f : strides[i / each];
    lists[i / each].push_back(values[i] * unit);
  }
  return lists;
}

Result<int> lower_level(Lowering& lowering, const AnchorBranch& branch, size_t level, int x) {
  const Module& conv2d = *branch.convs[level];
  if (!branch.add.empty()) {
    return lower_implicit(lowering, conv2d, x, *branch.add[level], *branch.multiply[level]);
  }
  YOLOCU_ASSIGN_OR_RETURN(const FoldedConv conv, read_conv2d(conv2d));
  return lowering.builder.add_conv(conv2d.path, x, conv, Activation::kNone, 0.0f);
}

Result<Values> lower_levels(Lowering& lowering, const Module& head, const Sources& inputs) {
  const auto classes = head.integer("nc");
  if (!classes) return corrupt("attribute 'nc' is missing");
  YOLOCU_ASSIGN_OR_RETURN(const AnchorBranch branch,
                          read_branch(head, lowering.branch, inputs.size()));
  DecodeAnchorOp decode{.classes = *classes};
  Values outputs;
  for (size_t level = 0; level < branch.convs.size(); ++level) {
    YOLOCU_ASSIGN_OR_RETURN(const int x, only({inputs[branch.first_source + level]}));
    YOLOCU_ASSIGN_OR_RETURN(outputs.emplace_back(), lower_level(lowering, branch, level, x));
    decode.strides.push_back(static_cast<float>(lowering.builder.shape(x).extent.divisor));
  }
  YOLOCU_RETURN_IF_ERROR(check_strides(head, decode.strides));
  YOLOCU_ASSIGN_OR_RETURN(decode.anchors, read_anchors(head, decode.strides));
  YOLOCU_ASSIGN_OR_RETURN(const int prediction,
                          lowering.builder.add(head.path, outputs, std::move(decode)));
  lowering.head = str_cat(head.type_name(), " (", branch.list, ")");
  return Values{prediction};
}

}  // namespace

Result<Values> lower_anchor_head(Lowering& lowering, const Module& head, const Sources& inputs) {
  Result<Values> values = lower_levels(lowering, head, inputs);
  if (values.ok()) return values;
  return values.status().with_context(str_cat("layer ", head.path, " (", head.type_name(), ")"));
}

}  // namespace yolocu
