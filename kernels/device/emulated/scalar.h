// scalar.h on the host.
#pragma once

#include <bit>
#include <cmath>

namespace yolocu::device {
inline namespace emulated_target {

// The compiler may not look into the product, so it cannot fuse it with a sum around it.
inline float multiply_rounded(float a, float b) {
  const volatile float product = a * b;
  return product;
}

inline float fused_multiply_add(float a, float b, float c) {
  return std::fma(a, b, c);
}

inline uint32_t bit_count(uint32_t value) {
  return static_cast<uint32_t>(std::popcount(value));
}

inline uint32_t lowest_bit(uint32_t value) {
  return static_cast<uint32_t>(std::countr_zero(value));
}

}  // namespace emulated_target
}  // namespace yolocu::device
