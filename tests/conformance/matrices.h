// Matrices of the types that tensor cores multiply, and their products in double arithmetic.
#pragma once

#include <type_traits>

#include "kernels/device/matrix.h"
#include "tests/conformance/inputs.h"
#include "tests/conformance/number_format.h"

namespace yolocu::conformance {

// Where products are exact in any order, and where they are not.
enum class Numbers : uint8_t { kSmallIntegers, kAny };

// As part of a name.
inline std::string numbers_name(Numbers numbers) {
  return numbers == Numbers::kSmallIntegers ? "integers" : "any";
}

template <typename T>
constexpr NumberFormat format_of() {
  if constexpr (std::is_same_v<T, device::Half>) return kHalfFormat;
  if constexpr (std::is_same_v<T, device::Bfloat16>) return kBfloat16Format;
  return kE4m3Format;
}

template <typename T>
double decoded(T element) {
  if constexpr (std::is_same_v<T, int8_t>) {
    return element;
  } else {
    return value_of(format_of<T>(), element.bits);
  }
}

template <typename T>
T encoded(double value) {
  if constexpr (std::is_same_v<T, int8_t>) {
    return static_cast<T>(value);
  } else {
    return {static_cast<decltype(T::bits)>(nearest(format_of<T>(), value))};
  }
}

template <typename T>
std::string type_text() {
  if constexpr (std::is_same_v<T, device::Half>) return "f16";
  if constexpr (std::is_same_v<T, device::Bfloat16>) return "bf16";
  if constexpr (std::is_same_v<T, device::E4m3>) return "e4m3";
  return "s8";
}

// The newest of sm_80 and what the type needs.
template <typename T>
constexpr Needs needs_of_type() {
  return std::is_same_v<T, device::E4m3> ? Needs::kSm89 : Needs::kSm80;
}

// Integers in -4..4; or any int8_t, or floats in -2..2.
template <typename T>
std::vector<T> random_elements(size_t count, Numbers numbers, Random& random) {
  const bool any_integer = std::is_same_v<T, int8_t> && numbers == Numbers::kAny;
  std::vector<T> elements(count);
  for (T& element : elements) {
    const double integer = any_integer ? random.below(256) - 128.0 : random.below(9) - 4.0;
    const bool is_integer = any_integer || numbers == Numbers::kSmallIntegers;
    element = encoded<T>(is_integer ? integer : random.uniform(-2, 2));
  }
  return elements;
}

// Of a sum of `terms` products by tensor cores, relative to the sum of magnitudes: at most
// terms + 1 ulp of fp32 (kernels/device/matrix.h). Sums of e4m3 are widely reported to keep 13 bits
// behind the point of the largest term on sm_89 and sm_90, which the manual does not say.
template <typename T>
double relative_error(size_t terms) {
  const double ulp = std::is_same_v<T, device::E4m3> ? 0x1p-13 : 0x1p-23;
  return static_cast<double>(terms + 1) * ulp;
}

// start + a * b^T. a [rows, depth], b [columns, depth]; start [rows, columns] or empty.
template <typename T>
Expectation product(const std::vector<T>& a, const std::vector<T>& b, size_t depth, Numbers numbers,
                    const std::vector<device::MatrixSum<T>>& start = {}) {
  using Sum = device::MatrixSum<T>;
  const size_t rows = a.size() / depth, columns = b.size() / depth;
  std::vector<double> left, right;
  for (const T element : a) left.push_back(decoded(element));
  for (const T element : b) right.push_back(decoded(element));
  std::vector<Sum> sums;
  Expectation expected;
  for (size_t i = 0; i < rows * columns; ++i) {
    double sum = start.empty() ? 0 : static_cast<double>(start[i]), magnitude = std::fabs(sum);
    for (size_t k = 0; k < depth; ++k) {
      const double term = left[i / columns * depth + k] * right[i % columns * depth + k];
      sum += term;
      magnitude += std::fabs(term);
    }
    sums.push_back(static_cast<Sum>(sum));
    if (std::is_same_v<Sum, float> && numbers == Numbers::kAny) {
      expected.tolerance.push_back(magnitude * relative_error<T>(depth));
    }
  }
  expected.bytes = bytes_of(sums);
  return expected;
}

}  // namespace yolocu::conformance
