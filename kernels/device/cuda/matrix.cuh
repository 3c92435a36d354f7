// matrix.h in CUDA.
#pragma once

#include "kernels/device/cuda/architecture.cuh"

namespace yolocu::device {
inline namespace cuda_target {

// load_rows, load_columns: ldmatrix without and with .trans, for 1, 2 and 4 matrices.
#define YOLOCU_LOAD_MATRIX(name, modifier)                                                      \
  YOLOCU_DEVICE void name(uint32_t(&words)[1], uint32_t row) {                                  \
    asm volatile("ldmatrix.sync.aligned.m8n8.x1" modifier ".shared.b16 {%0}, [%1];"             \
                 : "=r"(words[0])                                                               \
                 : "r"(row)                                                                     \
                 : "memory");                                                                   \
  }                                                                                             \
  YOLOCU_DEVICE void name(uint32_t(&words)[2], uint32_t row) {                                  \
    asm volatile("ldmatrix.sync.aligned.m8n8.x2" modifier ".shared.b16 {%0, %1}, [%2];"         \
                 : "=r"(words[0]), "=r"(words[1])                                               \
                 : "r"(row)                                                                     \
                 : "memory");                                                                   \
  }                                                                                             \
  YOLOCU_DEVICE void name(uint32_t(&words)[4], uint32_t row) {                                  \
    asm volatile("ldmatrix.sync.aligned.m8n8.x4" modifier ".shared.b16 {%0, %1, %2, %3}, [%4];" \
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])               \
                 : "r"(row)                                                                     \
                 : "memory");                                                                   \
  }
YOLOCU_LOAD_MATRIX(load_rows, "")
YOLOCU_LOAD_MATRIX(load_columns, ".trans")
#undef YOLOCU_LOAD_MATRIX

// store_rows, store_columns: stmatrix likewise. Callers ask for kHasSm90 first.
#define YOLOCU_STORE_MATRIX(name, modifier)                                                     \
  YOLOCU_DEVICE void name(uint32_t row, const uint32_t(&words)[1]) {                            \
    asm volatile("stmatrix.sync.aligned.m8n8.x1" modifier ".shared.b16 [%0], {%1};" ::"r"(row), \
                 "r"(words[0])                                                                  \
                 : "memory");                                                                   \
  }                                                                                             \
  YOLOCU_DEVICE void name(uint32_t row, const uint32_t(&words)[2]) {                            \
    asm volatile("stmatrix.sync.aligned.m8n8.x2" modifier                                       \
                 ".shared.b16 [%0], {%1, %2};" ::"r"(row),                                      \
                 "r"(words[0]), "r"(words[1])                                                   \
                 : "memory");                                                                   \
  }                                                                                             \
  YOLOCU_DEVICE void name(uint32_t row, const uint32_t(&words)[4]) {                            \
    asm volatile("stmatrix.sync.aligned.m8n8.x4" modifier                                       \
                 ".shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row),                              \
                 "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3])                     \
                 : "memory");                                                                   \
  }
YOLOCU_STORE_MATRIX(store_rows, "")
YOLOCU_STORE_MATRIX(store_columns, ".trans")
#undef YOLOCU_STORE_MATRIX

template <int kCount, Transpose kTranspose, typename T>
YOLOCU_DEVICE void load_matrix(uint32_t (&words)[kCount], SharedPtr<T> row) {
  static_assert(kCount == 1 || kCount == 2 || kCount == 4, "ldmatrix loads 1, 2 or 4 matrices");
  const uint32_t from = shared_window_address(row.address());
  if constexpr (kTranspose == Transpose::kNo) {
    load_rows(words, from);
  } else {
    load_columns(words, from);
  }
}

template <int kCount, Transpose kTranspose, typename T>
YOLOCU_DEVICE void store_matrix(SharedPtr<T> row, const uint32_t (&words)[kCount]) {
  static_assert(kCount == 1 || kCount == 2 || kCount == 4, "stmatrix stores 1, 2 or 4 matrices");
  if constexpr (!kHasSm90) {
    unsupported_instruction();
  } else if constexpr (kTranspose == Transpose::kNo) {
    store_rows(shared_window_address(row.address()), words);
  } else {
    store_columns(shared_window_address(row.address()), words);
  }
}

// The mma.sync of a type of elements, with sums of constraint "f" or "r".
#define YOLOCU_MULTIPLY_ADD(shape_and_types, constraint)                           \
  asm volatile("mma.sync.aligned." shape_and_types                                 \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"  \
               : "+" constraint(c[0]), "+" constraint(c[1]), "+" constraint(c[2]), \
                 "+" constraint(c[3])                                              \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

template <typename T>
YOLOCU_DEVICE void multiply_add_registers(MatrixSum<T> (&c)[4], const uint32_t (&a)[4],
                                          const uint32_t (&b)[2]) {
  if constexpr (std::is_same_v<T, Half>) {
    YOLOCU_MULTIPLY_ADD("m16n8k16.row.col.f32.f16.f16.f32", "f");
  } else if constexpr (std::is_same_v<T, Bfloat16>) {
    YOLOCU_MULTIPLY_ADD("m16n8k16.row.col.f32.bf16.bf16.f32", "f");
  } else if constexpr (std::is_same_v<T, int8_t>) {
    YOLOCU_MULTIPLY_ADD("m16n8k32.row.col.s32.s8.s8.s32", "r");
  } else if constexpr (kHasSm89) {
    static_assert(std::is_same_v<T, E4m3>, "T is Half, Bfloat16, int8_t or E4m3");
    YOLOCU_MULTIPLY_ADD("m16n8k32.row.col.f32.e4m3.e4m3.f32", "f");
  } else {
    unsupported_instruction();
  }
}
#undef YOLOCU_MULTIPLY_ADD

}  // namespace cuda_target
}  // namespace yolocu::device
