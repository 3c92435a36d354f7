// 16-bit floating point as stored bits, converted exactly.
#pragma once

#include <bit>
#include <cstdint>

namespace yolocu {

// IEEE binary16 bits -> fp32. Exact; NaN keeps its sign and the top of its payload.
constexpr float half_to_float(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16;
  uint32_t exponent = (bits >> 10) & 0x1Fu;
  uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  if (exponent == 0) {
    if (mantissa == 0) return std::bit_cast<float>(sign);
    exponent = 1;  // subnormal: shift the leading one into place
    while ((mantissa & 0x400u) == 0) {
      mantissa <<= 1;
      --exponent;
    }
    mantissa &= 0x3FFu;
  }
  // Unsigned wrap-around is intended: exponent - 15 + 127 is positive.
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

// fp32 -> IEEE binary16 bits, round to nearest even; overflow gives infinity, NaN stays NaN.
constexpr uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) {
    return static_cast<uint16_t>(sign | 0x7E00u | ((magnitude >> 13) & 0x3FFu));
  }
  if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // rounds past 65504
  if (magnitude < 0x33000000u) return sign;  // below half of the smallest subnormal
  const uint32_t exponent = magnitude >> 23;
  const bool subnormal = exponent < 113;
  const uint32_t mantissa = (magnitude & 0x7FFFFFu) | (subnormal ? 0x800000u : 0u);
  const uint32_t shift = subnormal ? 126 - exponent : 13;
  const uint32_t kept = mantissa >> shift;
  const uint32_t rest = mantissa & ((1u << shift) - 1);
  const uint32_t tie = 1u << (shift - 1);
  const uint32_t round_up = (rest > tie || (rest == tie && (kept & 1u))) ? 1u : 0u;
  const uint32_t base = subnormal ? 0u : (exponent - 112u) << 10;
  return static_cast<uint16_t>(sign | (base + kept + round_up));  // a carry moves up the exponent
}

// bfloat16 bits -> fp32. Exact.
constexpr float bfloat16_to_float(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

// fp32 -> bfloat16 bits, round to nearest even; NaN stays NaN.
constexpr uint16_t float_to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace yolocu
