#include "weights/import/reparam.h"

#include <algorithm>
#include <cmath>

#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

// A square attribute such as kernel_size = (3, 3).
Result<int64_t> square(const Module& module, std::string_view name) {
  const auto values = module.integers(name);
  if (!values || values->empty()) return corrupt(str_cat("attribute '", name, "' is missing"));
  for (const int64_t value : *values) {
    if (value != values->front()) {
      return unsupported(str_cat(name, " ", shape_text(*values), " is not square"));
    }
  }
  return values->front();
}

Result<std::vector<float>> vector_of(const Module& module, std::string_view name, int64_t size) {
  const ImportedTensor* tensor = module.tensor(name);
  if (tensor == nullptr) return corrupt(str_cat("tensor '", name, "' is missing"));
  if (tensor->shape != std::vector<int64_t>{size}) {
    return corrupt(
        str_cat("tensor '", name, "': expected [", size, "], got ", shape_text(tensor->shape)));
  }
  return tensor->values();
}

struct Affine {
  std::vector<double> scale, shift;  // y = scale * x + shift, per channel
};

Result<Affine> read_batch_norm(const Module& module, int64_t channels) {
  YOLOCU_ASSIGN_OR_RETURN(const auto gamma, vector_of(module, "weight", channels));
  YOLOCU_ASSIGN_OR_RETURN(const auto beta, vector_of(module, "bias", channels));
  YOLOCU_ASSIGN_OR_RETURN(const auto mean, vector_of(module, "running_mean", channels));
  YOLOCU_ASSIGN_OR_RETURN(const auto variance, vector_of(module, "running_var", channels));
  const auto eps = module.number("eps");
  if (!eps || !(*eps >= 0)) return corrupt("attribute 'eps' is missing or negative");
  Affine affine;
  for (size_t k = 0; k < static_cast<size_t>(channels); ++k) {
    const double scale = gamma[k] / std::sqrt(variance[k] + *eps);
    affine.scale.push_back(scale);
    affine.shift.push_back(beta[k] - mean[k] * scale);
  }
  return affine;
}

Status in_module(const Status& status, const Module& module) {
  return status.with_context(str_cat(module.path, " (", module.type_name(), ")"));
}

Result<FoldedConv> parse_conv2d(const Module& module) {
  const ImportedTensor* weight = module.tensor("weight");
  if (weight == nullptr) return corrupt("tensor 'weight' is missing");
  if (weight->shape.size() != 4) {
    return corrupt(
        str_cat("tensor 'weight': expected 4 dimensions, got ", shape_text(weight->shape)));
  }
  if (*std::min_element(weight->shape.begin(), weight->shape.end()) < 1) {
    return corrupt(str_cat("tensor 'weight' ", shape_text(weight->shape), " is empty"));
  }
  FoldedConv conv;
  conv.out_channels = weight->shape[0];
  conv.group_in_channels = weight->shape[1];
  conv.kernel = weight->shape[2];
  YOLOCU_ASSIGN_OR_RETURN(const int64_t kernel, square(module, "kernel_size"));
  if (weight->shape[2] != kernel || weight->shape[3] != kernel) {
    return corrupt(
        str_cat("tensor 'weight' ", shape_text(weight->shape), " is not ", kernel, "x", kernel));
  }
  YOLOCU_ASSIGN_OR_RETURN(conv.stride, square(module, "stride"));
  YOLOCU_ASSIGN_OR_RETURN(conv.padding, square(module, "padding"));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t dilation, square(module, "dilation"));
  conv.groups = module.integer("groups").value_or(1);
  if (conv.groups < 1 || conv.out_channels % conv.groups != 0) {
    return corrupt(
        str_cat("groups ", conv.groups, " do not divide ", conv.out_channels, " output channels"));
  }
  if (dilation != 1) return unsupported(str_cat("dilation ", dilation));
  if (module.text("padding_mode").value_or("zeros") != "zeros") {
    return unsupported(str_cat("padding_mode '", printable(*module.text("padding_mode")), "'"));
  }
  conv.weight = weight->values();
  conv.bias.assign(static_cast<size_t>(conv.out_channels), 0.0f);
  if (module.tensor("bias") != nullptr) {
    YOLOCU_ASSIGN_OR_RETURN(conv.bias, vector_of(module, "bias", conv.out_channels));
  }
  return conv;
}

Status check_implicit(const ImportedTensor* tensor, int64_t channels, std::string_view what) {
  const std::vector<int64_t> expected{1, channels, 1, 1};
  if (tensor == nullptr || tensor->shape == expected) return {};
  return corrupt(str_cat("implicit ", what, ": expected ", shape_text(expected), ", got ",
                         shape_text(tensor->shape)));
}

}  // namespace

FoldedConv depthwise(std::vector<float> factor, std::vector<float> addend) {
  const auto channels = static_cast<int64_t>(factor.size());
  return {.out_channels = channels,
          .group_in_channels = 1,
          .groups = channels,
          .weight = std::move(factor),
          .bias = std::move(addend)};
}

Result<FoldedConv> read_conv2d(const Module& conv2d) {
  Result<FoldedConv> conv = parse_conv2d(conv2d);
  if (!conv.ok()) return in_module(conv.status(), conv2d);
  return conv;
}

Result<FoldedConv> fold_batch_norm(FoldedConv conv, const Module& batch_norm) {
  const Result<Affine> affine = read_batch_norm(batch_norm, conv.out_channels);
  if (!affine.ok()) return in_module(affine.status(), batch_norm);
  const size_t filter = conv.weight.size() / static_cast<size_t>(conv.out_channels);
  for (size_t k = 0; k < conv.bias.size(); ++k) {
    for (size_t i = 0; i < filter; ++i) {
      float& weight = conv.weight[k * filter + i];
      weight = static_cast<float>(weight * affine->scale[k]);
    }
    conv.bias[k] = static_cast<float>(conv.bias[k] * affine->scale[k] + affine->shift[k]);
  }
  return conv;
}

Result<FoldedConv> add_pointwise(FoldedConv dense, const FoldedConv& pointwise) {
  if (pointwise.kernel != 1 || dense.kernel % 2 == 0 || dense.padding != dense.kernel / 2 ||
      pointwise.padding != 0 || dense.out_channels != pointwise.out_channels ||
      dense.group_in_channels != pointwise.group_in_channels || dense.groups != pointwise.groups ||
      dense.stride != pointwise.stride) {
    return unsupported("parallel branches of different shapes cannot be fused");
  }
  const auto window = static_cast<size_t>(dense.kernel * dense.kernel);
  for (size_t i = 0; i < pointwise.weight.size(); ++i) {
    dense.weight[i * window + window / 2] += pointwise.weight[i];
  }
  for (size_t k = 0; k < dense.bias.size(); ++k) dense.bias[k] += pointwise.bias[k];
  return dense;
}

Result<FoldedConv> identity_beside(const FoldedConv& dense, const Module& batch_norm) {
  const int64_t channels = dense.out_channels;
  // Before anything is allocated: a wide convolution that reads few channels would make it huge.
  if (dense.group_in_channels * dense.groups != channels) {
    return unsupported("parallel branches of different shapes cannot be fused");
  }
  FoldedConv conv{.out_channels = channels,
                  .group_in_channels = dense.group_in_channels,
                  .kernel = 1,
                  .stride = dense.stride,
                  .padding = 0,
                  .groups = dense.groups,
                  .weight = {},
                  .bias = {}};
  const auto group_in = static_cast<size_t>(conv.group_in_channels);
  conv.weight.assign(static_cast<size_t>(channels) * group_in, 0.0f);
  conv.bias.assign(static_cast<size_t>(channels), 0.0f);
  for (size_t k = 0; k < static_cast<size_t>(channels); ++k) {
    conv.weight[k * group_in + k % group_in] = 1.0f;
  }
  return fold_batch_norm(std::move(conv), batch_norm);
}

Result<FoldedConv> fold_implicit(FoldedConv conv, const ImportedTensor* add,
                                 const ImportedTensor* multiply) {
  if (conv.kernel != 1 || conv.padding != 0 || conv.groups != 1) {
    return unsupported("implicit knowledge around anything but a plain 1x1 convolution");
  }
  YOLOCU_RETURN_IF_ERROR(check_implicit(add, conv.group_in_channels, "addend"));
  YOLOCU_RETURN_IF_ERROR(check_implicit(multiply, conv.out_channels, "factor"));
  const auto channels = static_cast<size_t>(conv.group_in_channels);
  const auto none = [](size_t size, float neutral) { return std::vector<float>(size, neutral); };
  const auto addend = add == nullptr ? none(channels, 0.0f) : add->values();
  const auto factor = multiply == nullptr ? none(conv.bias.size(), 1.0f) : multiply->values();
  for (size_t k = 0; k < conv.bias.size(); ++k) {
    float* weight = conv.weight.data() + k * channels;
    double bias = conv.bias[k];
    for (size_t c = 0; c < channels; ++c) {
      bias += double{weight[c]} * addend[c];
      weight[c] *= factor[k];
    }
    conv.bias[k] = static_cast<float>(bias * factor[k]);
  }
  return conv;
}

}  // namespace yolocu
