// Detection heads with DFL, of the official YOLOv9 code (models/yolo.py) and of Ultralytics: per
// level a box branch and a class branch. Training heads carry auxiliary branches first; one branch
// is lowered, and what fed the others is dropped later because nothing needs it.
#include <array>
#include <utility>

#include "engine/base/str_cat.h"
#include "weights/import/lowering.h"

namespace yolocu {
namespace {

// A head of `branches` prediction branches: the main one is the last, the first is the auxiliary
// one. Branch b reads the b-th of `branches` equal runs of the sources, through two ModuleLists.
struct HeadLayout {
  std::string_view type_name;
  size_t branches;
};

constexpr std::array kLayouts{
    HeadLayout{"Detect", 1},      HeadLayout{"DDetect", 1},      HeadLayout{"DualDetect", 2},
    HeadLayout{"DualDDetect", 2}, HeadLayout{"TripleDetect", 3}, HeadLayout{"TripleDDetect", 3},
};

struct BranchLists {
  std::string_view box, cls, dfl;
};
constexpr std::array<BranchLists, 3> kLists{
    {{"cv2", "cv3", "dfl"}, {"cv4", "cv5", "dfl2"}, {"cv6", "cv7", "dfl3"}}};

const HeadLayout* find_layout(std::string_view type_name) {
  for (const HeadLayout& layout : kLayouts) {
    if (layout.type_name == type_name) return &layout;
  }
  return nullptr;
}

// The number of the branch to lower.
Result<size_t> choose_branch(const HeadLayout& layout, HeadBranch which) {
  if (which == HeadBranch::kMain) return layout.branches - 1;
  if (layout.branches > 1) return size_t{0};
  return unsupported("this head has no auxiliary branch");
}

Result<DecodeDflOp> read_decode(const Module& head) {
  const auto classes = head.integer("nc");
  const auto bins = head.integer("reg_max");
  if (!classes || !bins) return corrupt("attribute 'nc' or 'reg_max' is missing");
  if (*bins < 2) return unsupported("a head without DFL (reg_max 1)");
  return DecodeDflOp{.classes = *classes, .bins = *bins, .strides = {}};
}

// DFL is a sum with the weights 0, 1, 2, ..., which a head keeps as those of a convolution.
Status check_dfl(const Module& head, std::string_view name, int64_t bins) {
  const Module* dfl = head.child(name);
  const Module* conv = dfl == nullptr ? nullptr : dfl->child("conv");
  const ImportedTensor* weight = conv == nullptr ? nullptr : conv->tensor("weight");
  if (weight == nullptr) return {};
  const std::vector<float> values = weight->values();
  bool is_sum = static_cast<int64_t>(values.size()) == bins;
  for (size_t j = 0; j < values.size(); ++j) {
    is_sum = is_sum && values[j] == static_cast<float>(j);
  }
  if (is_sum) return {};
  return unsupported(str_cat("weights of '", name, "' are not 0, 1, ..., ", bins - 1));
}

Result<Values> lower_branch(Lowering& lowering, const Module& head, const HeadLayout& layout,
                            const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(DecodeDflOp decode, read_decode(head));
  YOLOCU_ASSIGN_OR_RETURN(const size_t branch, choose_branch(layout, lowering.branch));
  YOLOCU_ASSIGN_OR_RETURN(const Module* box, require_child(head, kLists[branch].box));
  YOLOCU_ASSIGN_OR_RETURN(const Module* cls, require_child(head, kLists[branch].cls));
  const size_t levels = inputs.size() / layout.branches;
  if (levels == 0 || inputs.size() % layout.branches != 0 || box->children.size() != levels ||
      cls->children.size() != levels) {
    return corrupt(str_cat(inputs.size(), " inputs for ", box->children.size(), " box and ",
                           cls->children.size(), " class branches"));
  }
  Values outputs;
  for (size_t level = 0; level < levels; ++level) {
    YOLOCU_ASSIGN_OR_RETURN(const int x, only({inputs[branch * levels + level]}));
    YOLOCU_ASSIGN_OR_RETURN(const int boxes, lowering.lower_one(box->children[level].second, x));
    YOLOCU_ASSIGN_OR_RETURN(const int scores, lowering.lower_one(cls->children[level].second, x));
    outputs.insert(outputs.end(), {boxes, scores});
    decode.strides.push_back(static_cast<float>(lowering.builder.shape(x).extent.divisor));
  }
  YOLOCU_RETURN_IF_ERROR(check_strides(head, decode.strides));
  YOLOCU_RETURN_IF_ERROR(check_dfl(head, kLists[branch].dfl, decode.bins));
  YOLOCU_ASSIGN_OR_RETURN(const int prediction,
                          lowering.builder.add(head.path, outputs, std::move(decode)));
  lowering.head =
      str_cat(head.type_name(), " (", kLists[branch].box, ", ", kLists[branch].cls, ")");
  return Values{prediction};
}

// A Detect of YOLOv7 (deployed files) has one ModuleList "m" and anchors.
Result<Values> lower_head(Lowering& lowering, const Module& head, const Sources& inputs) {
  if (head.child("m") != nullptr) return lower_anchor_head(lowering, head, inputs);
  Result<Values> values = lower_branch(lowering, head, *find_layout(head.type_name()), inputs);
  if (values.ok()) return values;
  return values.status().with_context(str_cat("layer ", head.path, " (", head.type_name(), ")"));
}

}  // namespace

Status check_strides(const Module& head, const std::vector<float>& strides) {
  const ImportedTensor* stored = head.tensor("stride");
  if (stored != nullptr && stored->values() != strides) {
    return corrupt("tensor 'stride' does not match the strides of the layers it reads");
  }
  return {};
}

LoweringRule find_head_rule(std::string_view type_name) {
  if (type_name == "IDetect" || type_name == "IAuxDetect") return lower_anchor_head;
  return find_layout(type_name) != nullptr ? lower_head : nullptr;
}

}  // namespace yolocu
