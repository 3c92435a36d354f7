// Matrix instructions of one warp on registers, laid out exactly as PTX says: ldmatrix, stmatrix,
// mma.sync. Kernels use the fragments of fragment.h, which are faster to emulate; this is for
// unusual shapes, and to check those by. All 32 lanes make the same call.
//
// A b16 matrix is 8 rows of 16 bytes. Register i of a lane holds two elements of matrix i, the one
// of the lower column in the low half: row lane / 4, columns 2 * (lane % 4) and the next.
#pragma once

#include "kernels/device/memory.h"
#include "kernels/device/numeric.h"
#include "kernels/device/target.h"

namespace yolocu::device {

// Sum: type of the accumulators. kDepth: k of one instruction, 32 bytes of T.
template <typename T>
struct MatrixType;
template <>
struct MatrixType<Half> {
  using Sum = float;
  static constexpr int kDepth = 16;
};
template <>
struct MatrixType<Bfloat16> {
  using Sum = float;
  static constexpr int kDepth = 16;
};
template <>
struct MatrixType<int8_t> {
  using Sum = int32_t;
  static constexpr int kDepth = 32;
};
template <>
struct MatrixType<E4m3> {
  using Sum = float;
  static constexpr int kDepth = 32;
};
template <typename T>
using MatrixSum = typename MatrixType<T>::Sum;

enum class Transpose : uint8_t { kNo, kYes };

inline namespace YOLOCU_TARGET {

// ldmatrix.sync.aligned.m8n8.x{kCount}[.trans].shared.b16, kCount 1, 2 or 4; sm_80. Lane 8 * i + r
// passes the address of row r of matrix i (16-byte aligned); lanes from 8 * kCount on pass
// anything. kYes: register i holds (row, column) = (2 * (lane % 4) and the next, lane / 4) instead.
template <int kCount, Transpose kTranspose = Transpose::kNo, typename T>
YOLOCU_DEVICE void load_matrix(uint32_t (&words)[kCount], SharedPtr<T> row YOLOCU_SITE);

// stmatrix.sync.aligned.m8n8.x{kCount}[.trans].shared.b16, the reverse; sm_90.
template <int kCount, Transpose kTranspose = Transpose::kNo, typename T>
YOLOCU_DEVICE void store_matrix(SharedPtr<T> row, const uint32_t (&words)[kCount] YOLOCU_SITE);

// c += a * b with a 16 x kDepth, b kDepth x 8, c 16 x 8:
//   mma.sync.aligned.m16n8k16.row.col.f32.{f16.f16,bf16.bf16}.f32   Half, Bfloat16; sm_80
//   mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32                 int8_t; sm_80; sums wrap
//   mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32             E4m3; sm_89
// With g = lane / 4, t = lane % 4, e = elements of T in 32 bits, and j < e from the low bits up:
//   a[i], element j: row g + 8 * (i % 2), k = e * t + j + (kDepth / 2) * (i / 2)
//   b[i], element j: k = e * t + j + (kDepth / 2) * i, column g
//   c[i]: row g + 8 * (i / 2), column 2 * t + i % 2
// Order and rounding of float sums are the hardware's own: at most kDepth + 1 ulp of the sum of
// magnitudes apart; of E4m3 more, as sm_89 and sm_90 are reported to keep fewer bits
// (tests/conformance allows 2^-13). Source: PTX ISA 9.0, 9.7.14.5.
template <typename T>
YOLOCU_DEVICE void multiply_add_registers(MatrixSum<T> (&c)[4], const uint32_t (&a)[4],
                                          const uint32_t (&b)[2] YOLOCU_SITE);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/matrix.cuh"
#else
#include "kernels/device/emulated/matrix.h"
#endif
