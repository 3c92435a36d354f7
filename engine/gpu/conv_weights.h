// Weights of the model as the device's convolutions want them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/gpu/gpu_plan.h"
#include "weights/format/model.h"

namespace yolocu::gpu {

// Elements of the padded weights [K, R, S, C / groups].
int64_t padded_weight_elements(const ConvOp& conv, const ConvWeightLayout& layout);

// packed: zeros on entry; [K, R, S, C / groups] of `dtype` (kF16, kBF16 or kF32), rounded to
// nearest even. weight [K,R,S,C/groups] f16 or f32 without padding. kUnsupported for other types,
// and for a finite weight beyond fp16.
Status pack_weights(std::span<std::byte> packed, DType dtype, const TensorView& weight,
                    const ConvOp& conv, const ConvWeightLayout& layout);

// packed [padded K]: zeros on entry; zeros remain where there is padding. bias [K] f32.
Status pack_bias(std::span<float> packed, const TensorView& bias, const ConvWeightLayout& layout);

// dst[i] = src[i] as `dtype`, rounded to nearest even.
void store_floats(std::byte* dst, DType dtype, std::span<const float> src);

}  // namespace yolocu::gpu
