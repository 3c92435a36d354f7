// What each building block computes that only YOLOv7's code (models/common.py) has.
#include <array>
#include <initializer_list>
#include <utility>

#include "engine/base/str_cat.h"
#include "weights/import/lowering.h"

namespace yolocu {
namespace {

// y = act(rbr_dense(x) + rbr_1x1(x) + rbr_identity(x)): 3x3, 1x1 and, where shapes allow, an
// identity; each convolution stands in a Sequential with its norm. "rbr_reparam" once fused. Other
// codes name the branches differently: what has no "rbr_" is theirs.
Result<Values> lower_rep_conv(Lowering& lowering, const Module& block, const Sources& inputs) {
  if (block.child("rbr_reparam") != nullptr) {
    return lower_branches(lowering, block, std::array{ConvBranch{&block, "rbr_reparam", ""}},
                          inputs);
  }
  const Module* dense = block.child("rbr_dense");
  if (dense == nullptr) return find_block_rule("RepConvN")(lowering, block, inputs);
  YOLOCU_ASSIGN_OR_RETURN(const Module* pointwise, require_child(block, "rbr_1x1"));
  std::vector<ConvBranch> branches = {{dense, "0", "1"}, {pointwise, "0", "1"}};
  if (block.child("rbr_identity") != nullptr) branches.push_back({&block, "", "rbr_identity"});
  return lower_branches(lowering, block, branches, inputs);
}

// [N,H,W,C] -> [N,H/2,W/2,4C]
Result<Values> lower_reorg(Lowering& lowering, const Module& module, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.builder.add(module.path, {x}, SpaceToDepthOp{}));
  return Values{y};
}

// y = concat(cv2(cv1(x)), cv3(mp(x)))
Result<Values> lower_down_c(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int hidden, lowering.lower_child(block, "cv1", x));
  YOLOCU_ASSIGN_OR_RETURN(const int dense, lowering.lower_child(block, "cv2", hidden));
  YOLOCU_ASSIGN_OR_RETURN(const int pooled, lowering.lower_child(block, "mp", x));
  YOLOCU_ASSIGN_OR_RETURN(const int pointwise, lowering.lower_child(block, "cv3", pooled));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.concat(block.path + ".concat", {dense, pointwise}));
  return Values{y};
}

// p = cv1(x); y = cv2(concat(p, m(p), m(m(p)), m(m(m(p)))))
Result<Values> lower_sppf(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int first, lowering.lower_child(block, "cv1", x));
  YOLOCU_ASSIGN_OR_RETURN(const Module* pool, require_child(block, "m"));
  Values parts{first};
  for (int i = 0; i < 3; ++i) {
    YOLOCU_ASSIGN_OR_RETURN(const int next, lowering.lower_one(*pool, parts.back()));
    parts.push_back(next);
  }
  YOLOCU_ASSIGN_OR_RETURN(const int joined, lowering.concat(block.path + ".concat", parts));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv2", joined));
  return Values{y};
}

// The children `names`, one after the other.
Result<int> lower_chain(Lowering& lowering, const Module& block,
                        std::initializer_list<std::string_view> names, int x) {
  for (const std::string_view name : names) {
    YOLOCU_ASSIGN_OR_RETURN(x, lowering.lower_child(block, name, x));
  }
  return x;
}

// y = x + cv3(cv2(cv1(x))) if `add`, else cv3(cv2(cv1(x)))
Result<Values> lower_res(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lower_chain(lowering, block, {"cv1", "cv2", "cv3"}, x));
  if (block.integer("add").value_or(0) == 0) return Values{y};
  YOLOCU_ASSIGN_OR_RETURN(const int sum,
                          lowering.builder.add(block.path + ".add", {x, y}, AddOp{}));
  return Values{sum};
}

// h = cv1(x); y = cv3(concat(m(h), cv2(h)))
Result<Values> lower_csp_b(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int first, lowering.lower_child(block, "cv1", x));
  YOLOCU_ASSIGN_OR_RETURN(const int deep, lowering.lower_child(block, "m", first));
  YOLOCU_ASSIGN_OR_RETURN(const int side, lowering.lower_child(block, "cv2", first));
  YOLOCU_ASSIGN_OR_RETURN(const int joined, lowering.concat(block.path + ".concat", {deep, side}));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv3", joined));
  return Values{y};
}

// y = cv4(concat(cv3(m(cv1(x))), cv2(x)))
Result<Values> lower_csp_c(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int deep, lower_chain(lowering, block, {"cv1", "m", "cv3"}, x));
  YOLOCU_ASSIGN_OR_RETURN(const int side, lowering.lower_child(block, "cv2", x));
  YOLOCU_ASSIGN_OR_RETURN(const int joined, lowering.concat(block.path + ".concat", {deep, side}));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv4", joined));
  return Values{y};
}

Status check_channel_dimension(const Module& module) {
  if (module.integer("d").value_or(1) == 1) return {};
  return unsupported(str_cat("layer ", module.path, " (", module.type_name(),
                             ") works on dimension ", *module.integer("d")));
}

// y = sum of the two sources
Result<Values> lower_shortcut(Lowering& lowering, const Module& module, const Sources& inputs) {
  if (inputs.size() != 2 || inputs[0].size() != 1 || inputs[1].size() != 1) {
    return corrupt(str_cat("layer ", module.path, ": ", inputs.size(), " sources to add"));
  }
  YOLOCU_ASSIGN_OR_RETURN(const int y,
                          lowering.builder.add(module.path, {inputs[0][0], inputs[1][0]}, AddOp{}));
  return Values{y};
}

// y = concat(first halves of all sources, second halves of all sources)
Result<Values> lower_chuncat(Lowering& lowering, const Module& module, const Sources& inputs) {
  YOLOCU_RETURN_IF_ERROR(check_channel_dimension(module));
  Values joined, second;
  for (size_t i = 0; i < inputs.size(); ++i) {
    YOLOCU_ASSIGN_OR_RETURN(const int x, only({inputs[i]}));
    YOLOCU_ASSIGN_OR_RETURN(const Values parts,
                            lowering.halves(str_cat(module.path, ".chunk.", i), x));
    joined.push_back(parts[0]);
    second.push_back(parts[1]);
  }
  joined.insert(joined.end(), second.begin(), second.end());
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.concat(module.path, joined));
  return Values{y};
}

constexpr std::array kRules{
    NamedRule{"BottleneckCSPB", lower_csp_b},
    NamedRule{"BottleneckCSPC", lower_csp_c},
    NamedRule{"Chuncat", lower_chuncat},
    NamedRule{"DownC", lower_down_c},
    NamedRule{"ReOrg", lower_reorg},
    NamedRule{"RepConv", lower_rep_conv},
    NamedRule{"Res", lower_res},
    NamedRule{"ResCSPB", lower_csp_b},
    NamedRule{"ResCSPC", lower_csp_c},
    NamedRule{"SPPF", lower_sppf},
    NamedRule{"Shortcut", lower_shortcut},
};

}  // namespace

LoweringRule find_yolov7_rule(std::string_view type_name) {
  return find_rule(kRules, type_name);
}

}  // namespace yolocu
