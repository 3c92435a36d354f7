// Weights of the model in the order and with the padding that a kernel wants.
#pragma once

#include <cstddef>
#include <span>

#include "engine/cpu/conv_algorithm.h"
#include "engine/plan/channel_layout.h"
#include "weights/format/model.h"

namespace yolocu::cpu {

// A convolution of the model, as a task computes it: channels at the positions of the layouts. The
// task's groups are 1 for a grouped convolution that is computed as a dense one, with zeros between
// groups.
struct ConvPart {
  const ConvOp* conv = nullptr;
  const ChannelLayout* in = nullptr;
  const ChannelLayout* out = nullptr;
};

// packed: weight_elements() elements of weight_element(). weight [K,R,S,C/groups] f16 or f32, or i8
// for an int8 source.
//   direct    panel [C/lanes][R][S][lanes/pack][blocks][lanes][pack], pack channels in one lane
//   picture   panel [R][S][3][blocks][lanes]
//   winograd  panel [36][C][blocks][lanes] f32, G g G^T of each window g; for an int8 source
//             [36][C/2][blocks][lanes][2] i16, D G g G^T D (winograd_arithmetic.h)
//   plain     as direct, with pack 1
//   depthwise panel [R][S][lanes] f32
// kUnsupported for other types.
Status pack_weights(std::span<std::byte> packed, const TensorView& weight, const ConvPart& part,
                    const ConvTask& task, ConvAlgorithm algorithm, int64_t lanes);

// packed [out_channels]: zeros on entry. values [K] f32: biases, or scales of accumulators.
Status pack_channels(std::span<float> packed, const TensorView& values, const ConvPart& part);

// Whether the sums of Int8Winograd come out right whatever the inputs: 127 sum |w| < 2^25 in every
// output channel, which is so up to 231 input channels whatever the weights. True for other types.
bool fits_winograd(const TensorView& weight);

// packed [out_channels], zeros on entry: ConvTask::compensation. weight [K,R,S,C/groups] i8.
void pack_compensation(std::span<int32_t> packed, const TensorView& weight, const ConvPart& part);

}  // namespace yolocu::cpu
