// numeric.h on the host.
#pragma once

#include <bit>
#include <cmath>
#include <type_traits>

#include "engine/base/half.h"

namespace yolocu::device {
inline namespace emulated_target {

inline float to_float(Half value) {
  const float result = half_to_float(value.bits);
  return std::isnan(result) ? std::bit_cast<float>(0x7FFFFFFFu) : result;
}

inline float to_float(Bfloat16 value) {
  return bfloat16_to_float(value.bits);
}

inline float to_float(E4m3 value) {
  return std::bit_cast<float>(float_bits_of_e4m3(value.bits));
}

inline Half to_half(float value) {
  return {std::isnan(value) ? uint16_t{0x7FFF} : float_to_half(value)};
}

inline Bfloat16 to_bfloat16(float value) {
  return {std::isnan(value) ? uint16_t{0x7FFF} : float_to_bfloat16(value)};
}

inline E4m3 to_e4m3(float value) {
  return {e4m3_of_float_bits(std::bit_cast<uint32_t>(value))};
}

template <typename T>
T from_float(float value) {
  static_assert(std::is_same_v<T, Half> || std::is_same_v<T, Bfloat16>, "a 16-bit float");
  if constexpr (std::is_same_v<T, Half>) return to_half(value);
  if constexpr (std::is_same_v<T, Bfloat16>) return to_bfloat16(value);
}

template <typename T>
uint32_t pack_pair(float low, float high) {
  return uint32_t{from_float<T>(low).bits} | uint32_t{from_float<T>(high).bits} << 16;
}

inline float fast_exp(float value) {
  return std::exp(value);
}

inline float fast_reciprocal(float value) {
  return 1.0f / value;
}

inline double multiply_unfused(double a, double b) {
  const volatile double product = a * b;
  return product;
}

}  // namespace emulated_target
}  // namespace yolocu::device
