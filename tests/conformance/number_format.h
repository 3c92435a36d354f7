// 8- and 16-bit floats by their definition, in double arithmetic: independent of the conversions
// that are tested.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace yolocu::conformance {

// kInfinity: the largest exponent is infinity and NaN. kFinite: only all ones is NaN, and what is
// too large becomes the largest number.
enum class Top : uint8_t { kInfinity, kFinite };

struct NumberFormat {
  int exponent_bits, mantissa_bits;
  Top top;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int sign_shift() const { return exponent_bits + mantissa_bits; }
  uint32_t most() const {  // magnitude of infinity, or of the largest number
    const uint32_t ones = (1u << sign_shift()) - 1;
    return top == Top::kFinite ? ones - 1 : ones - ((1u << mantissa_bits) - 1);
  }
};
constexpr NumberFormat kHalfFormat = {5, 10, Top::kInfinity};
constexpr NumberFormat kBfloat16Format = {8, 7, Top::kInfinity};
constexpr NumberFormat kE4m3Format = {4, 3, Top::kFinite};

inline double value_of(const NumberFormat& format, uint32_t bits) {
  const uint32_t magnitude = bits & ((1u << format.sign_shift()) - 1);
  const double sign = bits >> format.sign_shift() & 1 ? -1.0 : 1.0;
  if (magnitude > format.most()) return std::numeric_limits<double>::quiet_NaN();
  if (format.top == Top::kInfinity && magnitude == format.most()) return sign * INFINITY;
  const auto exponent = static_cast<int>(magnitude >> format.mantissa_bits);
  const uint32_t mantissa = magnitude & ((1u << format.mantissa_bits) - 1);
  const int scale = (exponent == 0 ? 1 : exponent) - format.bias() - format.mantissa_bits;
  const uint32_t one = exponent == 0 ? 0 : 1u << format.mantissa_bits;
  return sign * std::ldexp(one + mantissa, scale);
}

// Nearest, ties to even. `value` is no NaN.
inline uint32_t nearest(const NumberFormat& format, double value) {
  const double magnitude = std::fabs(value);
  const uint32_t sign = std::signbit(value) ? 1u << format.sign_shift() : 0;
  if (std::isinf(value)) return sign | format.most();
  const int least = 1 - format.bias();
  const int exponent = magnitude == 0 ? least : std::max(std::ilogb(magnitude), least);
  // In units of the last place; 2^(mantissa_bits + 1) if it rounds up to the next power of two.
  const double units = std::nearbyint(std::ldexp(magnitude, format.mantissa_bits - exponent));
  const double bits = std::ldexp(exponent - least, format.mantissa_bits) + units;
  return sign | static_cast<uint32_t>(std::fmin(bits, format.most()));
}

}  // namespace yolocu::conformance
