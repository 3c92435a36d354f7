// Small matrices for tests of matrix instructions, exact in every element type.
#pragma once

#include <random>

#include "kernels/device/matrix.h"
#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu::testing {

// Bits of small integers in each element type; value() is exact in all of them.
template <typename T>
T element_of(int value) {
  if constexpr (std::is_same_v<T, int8_t>) return static_cast<int8_t>(value);
  if constexpr (std::is_same_v<T, device::Half>) return device::to_half(static_cast<float>(value));
  if constexpr (std::is_same_v<T, device::Bfloat16>) {
    return device::to_bfloat16(static_cast<float>(value));
  }
  if constexpr (std::is_same_v<T, device::E4m3>) return device::to_e4m3(static_cast<float>(value));
}

inline std::vector<int> small_integers(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int> values(count);
  for (int& value : values) value = static_cast<int>(random() % 9) - 4;
  return values;
}

template <typename T>
std::vector<T> elements_of(const std::vector<int>& values) {
  std::vector<T> elements;
  for (const int value : values) elements.push_back(element_of<T>(value));
  return elements;
}

// c [rows, columns] = a [rows, depth] * b [columns, depth].
inline std::vector<int> product(const std::vector<int>& a, const std::vector<int>& b, size_t rows,
                                size_t columns, size_t depth) {
  std::vector<int> c(rows * columns);
  for (size_t m = 0; m < rows; ++m) {
    for (size_t n = 0; n < columns; ++n) {
      for (size_t k = 0; k < depth; ++k) c[m * columns + n] += a[m * depth + k] * b[n * depth + k];
    }
  }
  return c;
}

using MatrixElements = ::testing::Types<device::Half, device::Bfloat16, int8_t, device::E4m3>;

}  // namespace yolocu::testing
