// The formulas of e4m3 on the bits, for the host and for devices before sm_89. Part of numeric.h.
#pragma once

#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

// Bits of a float -> bits of e4m3, as to_e4m3 says.
YOLOCU_HOST_DEVICE constexpr uint8_t e4m3_of_float_bits(uint32_t bits) {
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  const uint32_t sign = (bits >> 24) & 0x80u;
  if (magnitude > 0x7F800000u) return 0x7F;                                 // NaN
  if (magnitude >= 0x43E00000u) return static_cast<uint8_t>(sign | 0x7Eu);  // from 448 on
  if (magnitude <= 0x3A800000u) return static_cast<uint8_t>(sign);          // to 2^-10, half a step
  const uint32_t exponent = magnitude >> 23;
  const bool subnormal = exponent < 121;  // below 2^-6
  // 3 bits of mantissa remain; below 2^-6 the leading one is one of them, one less per power of
  // two.
  const uint32_t mantissa = (magnitude & 0x7FFFFFu) | (subnormal ? 0x800000u : 0u);
  const uint32_t shift = subnormal ? 20 + (121 - exponent) : 20;
  const uint32_t kept = mantissa >> shift;
  const uint32_t rest = mantissa & ((1u << shift) - 1);
  const uint32_t tie = 1u << (shift - 1);
  const uint32_t round_up = (rest > tie || (rest == tie && (kept & 1u) != 0)) ? 1u : 0u;
  const uint32_t base = subnormal ? 0u : (exponent - 120u) << 3;
  return static_cast<uint8_t>(sign | (base + kept + round_up));  // a carry moves up the exponent
}

// Bits of e4m3 -> bits of a float.
YOLOCU_HOST_DEVICE constexpr uint32_t float_bits_of_e4m3(uint8_t bits) {
  const uint32_t sign = uint32_t{bits & 0x80u} << 24;
  uint32_t exponent = (bits >> 3) & 15u;
  uint32_t mantissa = bits & 7u;
  if (exponent == 15 && mantissa == 7) return 0x7FFFFFFFu;
  if (exponent == 0) {
    if (mantissa == 0) return sign;
    exponent = 1;  // subnormal: shift the leading one into place
    while ((mantissa & 8u) == 0) {
      mantissa <<= 1;
      --exponent;  // may wrap below zero; the sum below is positive again
    }
    mantissa &= 7u;
  }
  return sign | ((exponent + 120u) << 23) | (mantissa << 20);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device
