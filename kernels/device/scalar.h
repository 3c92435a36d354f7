// Arithmetic of one thread that plain operators leave open or cannot say. All of it exists on sm_80
// and later, and gives the same bits on both targets.
#pragma once

#include <cstring>

#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

// mul.rn.f32: a * b, rounded before it goes anywhere. The compiler may fuse the * of a plain
// expression with a sum around it.
YOLOCU_DEVICE float multiply_rounded(float a, float b);

// fma.rn.f32: a * b + c, rounded once.
YOLOCU_DEVICE float fused_multiply_add(float a, float b, float c);

// popc.b32: how many bits are set.
YOLOCU_DEVICE uint32_t bit_count(uint32_t value);
// Number of the lowest bit that is set; 32 if there is none.
YOLOCU_DEVICE uint32_t lowest_bit(uint32_t value);

// The bits of a float, and back.
YOLOCU_DEVICE uint32_t float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}
YOLOCU_DEVICE float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/scalar.cuh"
#else
#include "kernels/device/emulated/scalar.h"
#endif
