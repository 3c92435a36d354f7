// Arithmetic on sizes that come from foreign bytes: an overflow is a value, not undefined
// behaviour.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace yolocu {

// a * b for non-negative sizes; nullopt on overflow or a negative operand.
constexpr std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t product = 0;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// a + b for non-negative sizes; nullopt on overflow or a negative operand.
constexpr std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

// Product of all extents (1 for a scalar); nullopt on overflow or a negative extent.
constexpr std::optional<int64_t> checked_element_count(std::span<const int64_t> shape) {
  std::optional<int64_t> count = 1;
  for (const int64_t extent : shape) {
    if (!count) return std::nullopt;
    count = checked_mul(*count, extent);
  }
  return count;
}

constexpr int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace yolocu
