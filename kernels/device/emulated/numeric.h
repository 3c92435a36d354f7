// numeric.h on the host.
#pragma once

#include <bit>
#include <cmath>

#include "engine/base/half.h"

namespace yolocu::device {
inline namespace emulated_target {

inline float to_float(Half value) {
  return half_to_float(value.bits);
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

}  // namespace emulated_target
}  // namespace yolocu::device
