// Int8 in the graph: what the scales of a quantized model mean, and the rules that they obey.
//
// A value is floating point or int8; int8 is symmetric, real = scale * q with q in [-127, 127], and
// a channel's scale is that of the convolution or sum that produced it. With x int8 of scale s_c in
// channel c, an int8 convolution is
//   acc[k] = sum q_x[c] * q_w[k,r,s,c]                                          exact, in 32 bits
//   y[k]   = act(acc[k] * accumulator_scale[k] + bias[k])                       fp32
// and y is stored as quantize_int8(y, output_scale) if it has a scale. The scales of the input's
// channels, which differ behind a concat, are in the weights: q_w[k,r,s,c] * accumulator_scale[k] /
// s_c is the convolution's real weight. engine/quantize/README.md is the whole specification.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu {

constexpr int kMaxInt8 = 127;  // -128 does not occur

// Scales of values, and of accumulators: products of such a scale and a weight's.
constexpr float kMinScale = 0x1p-40f, kMaxScale = 0x1p40f;
constexpr float kMinAccumulatorScale = 0x1p-80f, kMaxAccumulatorScale = 0x1p80f;

// x * inverse_scale saturated and rounded to an integer, ties to even, as fp32; inverse_scale =
// 1 / scale, in fp32. NaN gives -127.
inline float round_to_units(float x, float inverse_scale) {
  constexpr float kMax = kMaxInt8;
  constexpr float kOnesAreLastBits = 0x1.8p23f;  // adding it rounds; compilers vectorize that
  const float scaled = x * inverse_scale;
  const float above = scaled > -kMax ? scaled : -kMax;
  return (above < kMax ? above : kMax) + kOnesAreLastBits - kOnesAreLastBits;
}

inline int8_t quantize_int8(float x, float inverse_scale) {
  return static_cast<int8_t>(round_to_units(x, inverse_scale));
}

// Channels [begin, begin + count) of a value have this scale.
struct ScaleSegment {
  int64_t begin = 0, count = 0;
  float scale = 0;
  friend bool operator==(const ScaleSegment&, const ScaleSegment&) = default;
};

// Of one value: ascending, all channels, neighbours differ. Empty: the value is floating point.
using ChannelScales = std::vector<ScaleSegment>;

// One scale a channel.
std::vector<float> scale_of_channels(const ChannelScales& scales);

// Whether any convolution or value is int8.
bool is_quantized(const Graph& graph);

// One ChannelScales a value. Convolutions and sums have their output_scale; pools, upsample, slice,
// concat and space_to_depth pass on those of their inputs.
// kCorrupt, naming the node: a scale out of range, a concat of int8 and floating point, an int8
// convolution of a floating-point value, a head that is int8. kResourceExhausted: channels whose
// scales change more often than any detector's.
Result<std::vector<ChannelScales>> infer_scales(const Graph& graph,
                                                const std::vector<ValueShape>& shapes);

// infer_scales, and the tensors of int8 convolutions: weights in [-127, 127], accumulator scales
// finite and in range. Types and shapes have been checked.
Status check_quantization(const Model& model, const std::vector<ValueShape>& shapes);

// The same network in floating point, for devices and tools that do not compute in int8: f32
// weights q_w * accumulator_scale / s_c, no scales. `model` itself if nothing in it is quantized;
// otherwise it is kept alive and its other tensors are shared. `model` has been validated.
Result<std::shared_ptr<const Model>> dequantized(std::shared_ptr<const Model> model);

}  // namespace yolocu
