// Weights of the model in the order and with the padding that a kernel wants.
#pragma once

#include <span>

#include "engine/cpu/onednn.h"
#include "engine/plan/channel_layout.h"
#include "weights/format/model.h"

namespace yolocu::cpu {

// What of a convolution one kernel computes: output positions [out_begin, out_begin +
// problem.out_channels). problem.groups is 1 for a grouped convolution that is computed as a dense
// one, with zeros between groups.
struct ConvPart {
  const ConvOp* conv = nullptr;
  const ChannelLayout* in = nullptr;
  const ChannelLayout* out = nullptr;
  int64_t out_begin = 0;
  ConvProblem problem;
};

// packed: zeros on entry; the elements at the places that `order` gives. weight [K,R,S,C/groups]
// f16 or f32. kUnsupported for other types.
Status pack_weights(std::span<float> packed, const TensorView& weight, const ConvPart& part,
                    const WeightOrder& order);

// packed [problem.out_channels]: zeros on entry. bias [K] f32.
Status pack_bias(std::span<float> packed, const TensorView& bias, const ConvPart& part);

}  // namespace yolocu::cpu
