// numeric.h in CUDA.
#pragma once

#include <type_traits>

namespace yolocu::device {
inline namespace cuda_target {

YOLOCU_DEVICE float to_float(Half value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}

YOLOCU_DEVICE float to_float(Bfloat16 value) {
  return __uint_as_float(uint32_t{value.bits} << 16);
}

YOLOCU_DEVICE float to_float(E4m3 value) {
  return __uint_as_float(float_bits_of_e4m3(value.bits));
}

YOLOCU_DEVICE Half to_half(float value) {
  Half result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
}

YOLOCU_DEVICE Bfloat16 to_bfloat16(float value) {
  Bfloat16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
  return result;
}

YOLOCU_DEVICE E4m3 to_e4m3(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  uint16_t pair;  // the second operand lands in the low byte
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(value));
  return {static_cast<uint8_t>(pair & 0xFFu)};
#else
  return {e4m3_of_float_bits(__float_as_uint(value))};
#endif
}

template <typename T>
YOLOCU_DEVICE T from_float(float value) {
  static_assert(std::is_same_v<T, Half> || std::is_same_v<T, Bfloat16>, "a 16-bit float");
  if constexpr (std::is_same_v<T, Half>) return to_half(value);
  if constexpr (std::is_same_v<T, Bfloat16>) return to_bfloat16(value);
}

template <typename T>
YOLOCU_DEVICE uint32_t pack_pair(float low, float high) {
  static_assert(std::is_same_v<T, Half> || std::is_same_v<T, Bfloat16>, "a 16-bit float");
  uint32_t pair;  // the first operand lands in the high half
  if constexpr (std::is_same_v<T, Half>) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  }
  return pair;
}

YOLOCU_DEVICE float fast_exp(float value) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value * 1.44269504f));
  return result;
}

YOLOCU_DEVICE float fast_reciprocal(float value) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

YOLOCU_DEVICE double multiply_unfused(double a, double b) {
  double result;
  asm("mul.rn.f64 %0, %1, %2;" : "=d"(result) : "d"(a), "d"(b));
  return result;
}

}  // namespace cuda_target
}  // namespace yolocu::device
