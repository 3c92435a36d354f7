// Convolutions with what stands around them: batch norms, parallel branches, implicit knowledge and
// activations, folded into one op or each as an op of its own.
#include <cmath>
#include <utility>

#include "engine/base/str_cat.h"
#include "weights/import/lowering.h"

namespace yolocu {
namespace {

struct ActivationChoice {
  Activation kind = Activation::kNone;
  float negative_slope = 0.0f;
};

// The child "act" of a convolution block; absent or Identity: none.
Result<ActivationChoice> read_activation(const Module& block) {
  const Module* act = block.child("act");
  if (act == nullptr || act->type_name() == "Identity") return ActivationChoice{};
  if (act->type_name() == "SiLU") return ActivationChoice{Activation::kSilu};
  if (act->type_name() == "ReLU") return ActivationChoice{Activation::kRelu};
  if (act->type_name() == "LeakyReLU") {
    const double slope = act->number("negative_slope").value_or(0.01);
    return ActivationChoice{Activation::kLeakyRelu, static_cast<float>(slope)};
  }
  return unsupported(str_cat("layer ", act->path, ": unknown activation '", act->type, "'"));
}

Result<FoldedConv> read_branch(Lowering& lowering, const ConvBranch& branch) {
  YOLOCU_ASSIGN_OR_RETURN(const Module* conv2d, require_child(*branch.parent, branch.conv));
  YOLOCU_ASSIGN_OR_RETURN(FoldedConv folded, read_conv2d(*conv2d));
  const Module* batch_norm = branch.parent->child(branch.bn);
  if (batch_norm == nullptr) return folded;
  ++lowering.counts.folded_batch_norms;
  return fold_batch_norm(std::move(folded), *batch_norm);
}

Result<FoldedConv> add_branch(Lowering& lowering, FoldedConv sum, const ConvBranch& branch) {
  if (!branch.conv.empty()) {
    YOLOCU_ASSIGN_OR_RETURN(const FoldedConv small, read_branch(lowering, branch));
    return add_pointwise(std::move(sum), small);
  }
  YOLOCU_ASSIGN_OR_RETURN(const Module* norm, require_child(*branch.parent, branch.bn));
  YOLOCU_ASSIGN_OR_RETURN(const FoldedConv identity, identity_beside(sum, *norm));
  ++lowering.counts.folded_batch_norms;
  return add_pointwise(std::move(sum), identity);
}

Result<FoldedConv> fold_branches(Lowering& lowering, std::span<const ConvBranch> branches) {
  YOLOCU_ASSIGN_OR_RETURN(FoldedConv sum, read_branch(lowering, branches[0]));
  for (const ConvBranch& branch : branches.subspan(1)) {
    YOLOCU_ASSIGN_OR_RETURN(sum, add_branch(lowering, std::move(sum), branch));
  }
  if (branches.size() > 1) ++lowering.counts.fused_rep_convs;
  return sum;
}

// The tensor `name` of a batch norm of `channels` channels.
Result<std::vector<float>> statistics(const Module& norm, std::string_view name, int64_t channels) {
  const ImportedTensor* tensor = norm.tensor(name);
  if (tensor != nullptr && tensor->shape == std::vector<int64_t>{channels}) return tensor->values();
  return corrupt(str_cat(norm.path, ": no tensor '", name, "' [", channels, "]"));
}

// y = (x - mean) / sqrt(variance + eps) * gamma + beta by its definition, in two steps.
Result<int> lower_batch_norm(Lowering& lowering, const Module& norm, int x) {
  const int64_t channels = lowering.builder.shape(x).channels;
  YOLOCU_ASSIGN_OR_RETURN(const auto gamma, statistics(norm, "weight", channels));
  YOLOCU_ASSIGN_OR_RETURN(const auto beta, statistics(norm, "bias", channels));
  YOLOCU_ASSIGN_OR_RETURN(auto mean, statistics(norm, "running_mean", channels));
  YOLOCU_ASSIGN_OR_RETURN(auto factor, statistics(norm, "running_var", channels));
  const double eps = norm.number("eps").value_or(-1);
  for (size_t c = 0; c < factor.size(); ++c) {
    factor[c] = static_cast<float>(gamma[c] / std::sqrt(factor[c] + eps));
    mean[c] = -mean[c];
  }
  const std::vector<float> ones(mean.size(), 1.0f);
  YOLOCU_ASSIGN_OR_RETURN(const int centred,
                          lower_affine(lowering, norm.path + ".centre", x, ones, std::move(mean)));
  return lower_affine(lowering, norm.path, centred, std::move(factor), beta);
}

Result<int> lower_branch(Lowering& lowering, const ConvBranch& branch, int x) {
  if (!branch.conv.empty()) {
    YOLOCU_ASSIGN_OR_RETURN(const Module* conv2d, require_child(*branch.parent, branch.conv));
    YOLOCU_ASSIGN_OR_RETURN(const FoldedConv conv, read_conv2d(*conv2d));
    YOLOCU_ASSIGN_OR_RETURN(
        x, lowering.builder.add_conv(conv2d->path, x, conv, Activation::kNone, 0.0f));
  }
  const Module* norm = branch.parent->child(branch.bn);
  return norm == nullptr ? Result<int>(x) : lower_batch_norm(lowering, *norm, x);
}

// y = act(sum of the branches), each step an op of its own.
Result<Values> keep_branches(Lowering& lowering, const Module& block,
                             std::span<const ConvBranch> branches, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const ActivationChoice act, read_activation(block));
  Values terms;
  for (const ConvBranch& branch : branches) {
    YOLOCU_ASSIGN_OR_RETURN(terms.emplace_back(), lower_branch(lowering, branch, x));
  }
  int sum = terms[0];
  if (terms.size() > 1) {
    YOLOCU_ASSIGN_OR_RETURN(sum, lowering.builder.add(block.path + ".sum", terms, AddOp{}));
  }
  if (act.kind == Activation::kNone) return Values{sum};
  const auto channels = static_cast<size_t>(lowering.builder.shape(sum).channels);
  YOLOCU_ASSIGN_OR_RETURN(const int y,
                          lowering.builder.add_conv(block.path + ".act", sum,
                                                    depthwise(std::vector<float>(channels, 1.0f),
                                                              std::vector<float>(channels, 0.0f)),
                                                    act.kind, act.negative_slope));
  return Values{y};
}

}  // namespace

Result<int> lower_affine(Lowering& lowering, const std::string& name, int x,
                         std::vector<float> factor, std::vector<float> addend) {
  return lowering.builder.add_conv(name, x, depthwise(std::move(factor), std::move(addend)),
                                   Activation::kNone, 0.0f);
}

Result<Values> add_conv(Lowering& lowering, const Module& block, const FoldedConv& conv,
                        const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int input, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const ActivationChoice act, read_activation(block));
  YOLOCU_ASSIGN_OR_RETURN(const int value, lowering.builder.add_conv(block.path, input, conv,
                                                                     act.kind, act.negative_slope));
  return Values{value};
}

Result<Values> lower_branches(Lowering& lowering, const Module& block,
                              std::span<const ConvBranch> branches, const Sources& inputs) {
  if (lowering.folding == Folding::kKeep) {
    return keep_branches(lowering, block, branches, inputs);
  }
  Result<FoldedConv> conv = fold_branches(lowering, branches);
  if (conv.ok()) return add_conv(lowering, block, *conv, inputs);
  return branches.size() == 1 ? conv.status() : conv.status().with_context(block.path);
}

Result<int> lower_implicit(Lowering& lowering, const Module& conv2d, int x,
                           const ImportedTensor& add, const ImportedTensor& multiply) {
  YOLOCU_ASSIGN_OR_RETURN(const FoldedConv conv, read_conv2d(conv2d));
  const auto constant = [](const std::vector<float>& like, float value) {
    return std::vector<float>(like.size(), value);
  };
  if (lowering.folding == Folding::kFold) {
    YOLOCU_ASSIGN_OR_RETURN(const FoldedConv folded, fold_implicit(conv, &add, &multiply));
    ++lowering.counts.folded_implicit;
    return lowering.builder.add_conv(conv2d.path, x, folded, Activation::kNone, 0.0f);
  }
  const std::vector<float> addend = add.values(), factor = multiply.values();
  YOLOCU_ASSIGN_OR_RETURN(
      x, lower_affine(lowering, conv2d.path + ".add", x, constant(addend, 1.0f), addend));
  YOLOCU_ASSIGN_OR_RETURN(x,
                          lowering.builder.add_conv(conv2d.path, x, conv, Activation::kNone, 0.0f));
  return lower_affine(lowering, conv2d.path + ".multiply", x, factor, constant(factor, 0.0f));
}

}  // namespace yolocu
