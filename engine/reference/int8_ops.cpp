#include "engine/reference/int8_ops.h"

#include <cmath>
#include <variant>

#include "weights/format/quantization.h"

namespace yolocu::reference {

std::vector<float> int8_weights(const TensorView& weight) {
  std::vector<float> values;
  for (const std::byte byte : weight.data) {
    values.push_back(static_cast<float>(static_cast<int8_t>(byte)));
  }
  return values;
}

Tensor convolve_int8(const Tensor& x, std::span<const float> in_scales, const ConvOp& op,
                     std::span<const float> weight, std::span<const float> accumulator_scale,
                     std::span<const float> bias) {
  Tensor units = x;
  for (size_t i = 0; i < units.values.size(); ++i) {
    units.values[i] = std::nearbyintf(x.values[i] / in_scales[i % in_scales.size()]);
  }
  ConvOp sums = op;
  sums.activation = Activation::kNone;
  // Sums of whole numbers are exact in double; as fp32 they are what int32 converts to.
  Tensor y = convolve(units, sums, weight, {});
  const auto channels = static_cast<size_t>(y.c);
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t k = i % channels;
    const double real =
        double{y.values[i]} * double{accumulator_scale[k]} + (bias.empty() ? 0.0 : double{bias[k]});
    y.values[i] = static_cast<float>(activate(real, op.activation, op.negative_slope));
  }
  return y;
}

void round_to_int8(Tensor& x, const Op& op, std::span<const float> scales) {
  const bool computes = std::holds_alternative<ConvOp>(op) || std::holds_alternative<AddOp>(op) ||
                        std::holds_alternative<AvgPoolOp>(op);
  if (!computes || scales.empty()) return;
  // A mean is its sum of whole units over its window: which of them are ties must not hang on how
  // floats rounded.
  const auto* mean = std::get_if<AvgPoolOp>(&op);
  const double window = mean == nullptr ? 0 : static_cast<double>(mean->kernel * mean->kernel);
  for (size_t i = 0; i < x.values.size(); ++i) {
    const float scale = scales[i % scales.size()];
    if (mean != nullptr) {
      const double units = std::nearbyint(double{x.values[i]} * window / double{scale});
      x.values[i] = scale * static_cast<float>(std::nearbyint(units / window));
      continue;
    }
    x.values[i] = scale * static_cast<float>(quantize_int8(x.values[i], 1 / scale));
  }
}

}  // namespace yolocu::reference
