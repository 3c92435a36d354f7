// From a tree of modules to the graph: what each module computes, in terms of the graph's ops.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/import/folding.h"
#include "weights/import/graph_builder.h"
#include "weights/import/head_branch.h"
#include "weights/import/module_tree.h"
#include "yolocu/status.h"

namespace yolocu {

// What a module produces: one value, but for CBLinear, which makes a list.
using Values = std::vector<int>;
// What a module reads: the products of each of its source layers.
using Sources = std::vector<Values>;

// What lowering did, for the report.
struct LoweringCounts {
  int64_t folded_batch_norms = 0;
  int64_t fused_rep_convs = 0;
  int64_t folded_implicit = 0;  // levels of a YOLOv7 head
};

// The state of one lowering, handed to every module's rule.
struct Lowering {
  GraphBuilder builder;
  LoweringCounts counts;
  HeadBranch branch = HeadBranch::kMain;  // which predictions of the head
  Folding folding = Folding::kFold;
  std::string head;  // where they came from: "DualDDetect (cv4, cv5)"

  // Lowers any known module; kUnsupported names an unknown one and its layer.
  Result<Values> lower(const Module& module, const Sources& inputs);
  // The same for modules of one input and one output.
  Result<int> lower_one(const Module& module, int input);
  // lower_one of the child `name`, which must be there.
  Result<int> lower_child(const Module& module, std::string_view name, int input);

  Result<int> concat(const std::string& name, const Values& values);
  // `value` in slices of `channels` each.
  Result<Values> split(const std::string& name, int value, const std::vector<int64_t>& channels);
  Result<Values> halves(const std::string& name, int value);
};

// A rule lowers one kind of module.
using LoweringRule = Result<Values> (*)(Lowering&, const Module&, const Sources&);

struct NamedRule {
  std::string_view type_name;
  LoweringRule rule;
};

// The rule for a class name such as "RepNCSPELAN4", or nullptr: modules of torch.nn
// (lowering_torch.cpp), building blocks (lowering_modules.cpp), those that only YOLOv7 has
// (lowering_yolov7.cpp), heads with DFL or with anchors (lowering_heads.cpp).
LoweringRule find_torch_rule(std::string_view type_name);
LoweringRule find_block_rule(std::string_view type_name);
LoweringRule find_yolov7_rule(std::string_view type_name);
LoweringRule find_head_rule(std::string_view type_name);

// A head with anchors: its convolutions, then DecodeAnchorOp (lowering_anchor_heads.cpp).
Result<Values> lower_anchor_head(Lowering& lowering, const Module& head, const Sources& inputs);
// The stride of each level is known from the shapes; a head's own tensor 'stride' must agree.
Status check_strides(const Module& head, const std::vector<float>& strides);

// The rule of that name among `rules`, or nullptr.
LoweringRule find_rule(std::span<const NamedRule> rules, std::string_view type_name);

// bn(conv(x)) of two children of `parent`: `conv`, a torch.nn Conv2d or, if empty, nothing; `bn`, a
// BatchNorm2d or, if it is not there, nothing.
struct ConvBranch {
  const Module* parent = nullptr;
  std::string_view conv, bn;
};
// y = act(sum of the branches), act the child "act" of `block` (lowering_conv.cpp). The first
// branch has a convolution; the others are 1x1, or norms alone.
Result<Values> lower_branches(Lowering& lowering, const Module& block,
                              std::span<const ConvBranch> branches, const Sources& inputs);
// y = multiply * conv2d(x + add), a channel each (fold_implicit of reparam.h).
Result<int> lower_implicit(Lowering& lowering, const Module& conv2d, int x,
                           const ImportedTensor& add, const ImportedTensor& multiply);
// y = factor * x + addend of each channel by itself.
Result<int> lower_affine(Lowering& lowering, const std::string& name, int x,
                         std::vector<float> factor, std::vector<float> addend);
// Appends `conv` with the activation of the child "act", named after the block.
Result<Values> add_conv(Lowering& lowering, const Module& block, const FoldedConv& conv,
                        const Sources& inputs);

// kCorrupt unless there is exactly one source with exactly one value.
Result<int> only(const Sources& inputs);
// The child `name`, or kCorrupt.
Result<const Module*> require_child(const Module& module, std::string_view name);

// Lowers the layers of a detection model (children of "model", each with its `f`, "from") into the
// builder; the last layer is the head.
Status lower_model(Lowering& lowering, const Module& root);

}  // namespace yolocu
