// The int8 rules of weights/format/quantization.h in plain loops: what every int8 kernel must
// compute. Values stay fp32 tensors; those that are int8 hold exact multiples of their scales.
#pragma once

#include <span>
#include <vector>

#include "engine/reference/reference_ops.h"
#include "weights/format/model.h"

namespace yolocu::reference {

// Int8 weights as whole numbers.
std::vector<float> int8_weights(const TensorView& weight);

// act(acc * accumulator_scale[k] + bias[k]), acc the exact sum of the products of int8 weights and
// of what x holds in units of in_scales, one a channel. bias [K] or empty.
Tensor convolve_int8(const Tensor& x, std::span<const float> in_scales, const ConvOp& op,
                     std::span<const float> weight, std::span<const float> accumulator_scale,
                     std::span<const float> bias);

// Rounds and saturates what `op` computed to multiples of its channels' scales. Does nothing for
// ops that keep int8 exact (maxima, copies), nor without scales.
void round_to_int8(Tensor& x, const Op& op, std::span<const float> scales);

}  // namespace yolocu::reference
