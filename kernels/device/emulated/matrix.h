// matrix.h on the host: the last lane to come computes for all.
#pragma once

#include <bit>

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

template <typename T>
constexpr emulation::MatrixElement matrix_element() {
  if constexpr (std::is_same_v<T, Half>) return emulation::MatrixElement::kHalf;
  if constexpr (std::is_same_v<T, Bfloat16>) return emulation::MatrixElement::kBfloat16;
  if constexpr (std::is_same_v<T, int8_t>) return emulation::MatrixElement::kInt8;
  if constexpr (std::is_same_v<T, E4m3>) return emulation::MatrixElement::kE4m3;
}

template <int kCount, Transpose kTranspose, typename T>
void load_matrix(uint32_t (&words)[kCount], SharedPtr<T> row, CallSite site) {
  static_assert(kCount == 1 || kCount == 2 || kCount == 4, "ldmatrix loads 1, 2 or 4 matrices");
  emulation::MatrixOperands operands;
  operands.address = row.address();
  operands.count = kCount;
  operands.transpose = kTranspose == Transpose::kYes;
  emulation::load_matrix(operands, site);
  for (size_t i = 0; i < kCount; ++i) words[i] = operands.a[i];
}

template <int kCount, Transpose kTranspose, typename T>
void store_matrix(SharedPtr<T> row, const uint32_t (&words)[kCount], CallSite site) {
  static_assert(kCount == 1 || kCount == 2 || kCount == 4, "stmatrix stores 1, 2 or 4 matrices");
  emulation::MatrixOperands operands;
  operands.address = row.address();
  operands.count = kCount;
  operands.transpose = kTranspose == Transpose::kYes;
  for (size_t i = 0; i < kCount; ++i) operands.a[i] = words[i];
  emulation::store_matrix(operands, site);
}

template <typename T>
void multiply_add_registers(MatrixSum<T> (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                            CallSite site) {
  emulation::MatrixOperands operands;
  operands.element = matrix_element<T>();
  for (size_t i = 0; i < 4; ++i) {
    operands.a[i] = a[i];
    operands.c[i] = std::bit_cast<uint32_t>(c[i]);
  }
  for (size_t i = 0; i < 2; ++i) operands.b[i] = b[i];
  emulation::multiply_registers(operands, site);
  for (size_t i = 0; i < 4; ++i) c[i] = std::bit_cast<MatrixSum<T>>(operands.c[i]);
}

}  // namespace emulated_target
}  // namespace yolocu::device
