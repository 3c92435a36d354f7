// Tiles of a matrix product held by one warp: opaque registers, loaded by ldmatrix and multiplied
// by mma.sync. On the host a fragment names a matrix that belongs to the warp: lanes post what is
// to be done and run on, and the last lane to post does it once for all 32.
//
// A fragment is a local variable. All 32 lanes make, use and leave it together, in the same order.
// sm_80 and later; E4m3 sm_89.
#pragma once

#include "kernels/device/matrix.h"
#include "kernels/device/threads.h"

namespace yolocu::device {

// Which row of a 16-row tile this lane passes to load_fragment, and where in it (bytes).
struct FragmentRow {
  uint32_t row, byte;
};

// A: row lane % 16, byte 16 * (lane / 16).
YOLOCU_HOST_DEVICE constexpr FragmentRow fragment_a_row(uint32_t lane) {
  return {lane % 16, lane / 16 * 16};
}
// B: row (= column of the product) lane % 8 + 8 * (lane / 16), byte 16 * (lane / 8 % 2).
YOLOCU_HOST_DEVICE constexpr FragmentRow fragment_b_row(uint32_t lane) {
  return {lane % 8 + lane / 16 * 8, lane / 8 % 2 * 16};
}

inline namespace YOLOCU_TARGET {

// a [16 * kTiles, kDepth] T: rows of the product. 4 * kTiles registers.
template <typename T, int kTiles>
class FragmentA;
// b [16 * kTiles, kDepth] T: columns of the product, k contiguous as in a. 4 * kTiles registers.
template <typename T, int kTiles>
class FragmentB;
// c [16 * kRowTiles, 16 * kColumnTiles] MatrixSum<T>; starts undefined. 8 * kRowTiles *
// kColumnTiles registers. Lane l holds, of tile (m, n), element i in 0..7 at
//   row 16 * m + fragment_sum_row(i), column 16 * n + fragment_sum_column(i).
// Members: void fill(Sum value); Sum get(int m, int n, int i) const.
template <typename T, int kRowTiles, int kColumnTiles>
class FragmentSums;

// lane / 4 + 8 * (i / 2 % 2), within a tile of 16.
YOLOCU_DEVICE int fragment_sum_row(int i) {
  return static_cast<int>(lane() / 4) + 8 * (i / 2 % 2);
}
// 2 * (lane % 4) + i % 2 + 8 * (i / 4), within a tile of 16: i and i + 1 are neighbours for even i.
YOLOCU_DEVICE int fragment_sum_column(int i) {
  return static_cast<int>(lane() % 4) * 2 + i % 2 + 8 * (i / 4);
}

// One ldmatrix.x4 a tile. This lane passes the address of its row of tile 0 (fragment_a_row or
// fragment_b_row, 16-byte aligned); tile i lies i * tile_stride T further on.
template <typename T, int kTiles>
YOLOCU_DEVICE void load_fragment(FragmentA<T, kTiles>& a, SharedPtr<T> row,
                                 int64_t tile_stride = 0 YOLOCU_SITE);
template <typename T, int kTiles>
YOLOCU_DEVICE void load_fragment(FragmentB<T, kTiles>& b, SharedPtr<T> row,
                                 int64_t tile_stride = 0 YOLOCU_SITE);

// c[m][n] += sum over k of a[m][k] * b[n][k]: 2 * kRowTiles * kColumnTiles mma.sync.
template <typename T, int kRowTiles, int kColumnTiles>
YOLOCU_DEVICE void multiply_add(FragmentSums<T, kRowTiles, kColumnTiles>& c,
                                const FragmentA<T, kRowTiles>& a,
                                const FragmentB<T, kColumnTiles>& b YOLOCU_SITE);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/fragment.cuh"
#else
#include "kernels/device/emulated/fragment.h"
#endif
