// fragment.h in CUDA. The registers of a fragment are public to the primitives of this folder and
// to nobody else: on the host there are none.
#pragma once

#include "kernels/device/cuda/matrix.cuh"

namespace yolocu::device {
inline namespace cuda_target {

template <typename T, int kTiles>
class FragmentA {
 public:
  uint32_t words[kTiles][4];  // operand a of mma.sync
};

template <typename T, int kTiles>
class FragmentB {
 public:
  uint32_t words[kTiles][2][2];  // operand b of columns 0..7 and 8..15
};

template <typename T, int kRowTiles, int kColumnTiles>
class FragmentSums {
 public:
  using Sum = MatrixSum<T>;

  YOLOCU_DEVICE void fill(Sum value) {
    YOLOCU_UNROLL
    for (int i = 0; i < 8 * kRowTiles * kColumnTiles; ++i) {
      sums[i / (8 * kColumnTiles)][i / 8 % kColumnTiles][i / 4 % 2][i % 4] = value;
    }
  }

  // Called with constants, once loops are unrolled: registers have no index at run time.
  YOLOCU_DEVICE Sum get(int m, int n, int i) const { return sums[m][n][i / 4][i % 4]; }

  Sum sums[kRowTiles][kColumnTiles][2][4];  // operand c of columns 0..7 and 8..15
};

template <typename T, int kTiles>
YOLOCU_DEVICE void load_fragment(FragmentA<T, kTiles>& a, SharedPtr<T> row, int64_t tile_stride) {
  YOLOCU_UNROLL
  for (int tile = 0; tile < kTiles; ++tile) load_matrix(a.words[tile], row + tile * tile_stride);
}

template <typename T, int kTiles>
YOLOCU_DEVICE void load_fragment(FragmentB<T, kTiles>& b, SharedPtr<T> row, int64_t tile_stride) {
  YOLOCU_UNROLL
  for (int tile = 0; tile < kTiles; ++tile) {
    uint32_t words[4];
    load_matrix(words, row + tile * tile_stride);
    YOLOCU_UNROLL
    for (int i = 0; i < 4; ++i) b.words[tile][i / 2][i % 2] = words[i];
  }
}

template <typename T, int kRowTiles, int kColumnTiles>
YOLOCU_DEVICE void multiply_add(FragmentSums<T, kRowTiles, kColumnTiles>& c,
                                const FragmentA<T, kRowTiles>& a,
                                const FragmentB<T, kColumnTiles>& b) {
  YOLOCU_UNROLL
  for (int m = 0; m < kRowTiles; ++m) {
    YOLOCU_UNROLL
    for (int n = 0; n < kColumnTiles; ++n) {
      YOLOCU_UNROLL
      for (int half = 0; half < 2; ++half) {
        multiply_add_registers<T>(c.sums[m][n][half], a.words[m], b.words[n][half]);
      }
    }
  }
}

}  // namespace cuda_target
}  // namespace yolocu::device
