// Convolution as an implicit GEMM on mma.sync. Formula and tensors: conv.h. Source of the method:
// Chetlur et al. 2014, "cuDNN: Efficient Primitives for Deep Learning", section 3.
#pragma once

#include "kernels/conv/conv_epilogue.cuh"
#include "kernels/conv/conv_pipeline.cuh"
#include "kernels/device/fragment.h"
#include "kernels/device/threads.h"
#include "kernels/device/warp.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

template <typename T, ConvTile kTile>
using ConvSums = device::FragmentSums<T, kTile.warp_m / 16, kTile.warp_n / 16>;

// sums += the product of one stage: a [block_m, block_k], then b [block_n, block_k].
template <typename T, ConvTile kTile>
YOLOCU_DEVICE void multiply_stage(ConvSums<T, kTile>& sums, device::SharedPtr<T> stage,
                                  const WarpPlace<kTile>& warp) {
  constexpr int kDepth = device::MatrixType<T>::kDepth;
  static_assert(kTile.block_k % kDepth == 0, "a stage is whole instructions deep");
  const auto row_a = device::fragment_a_row(device::lane());
  const auto row_b = device::fragment_b_row(device::lane());
  const int a_row = warp.m + static_cast<int>(row_a.row);
  const int b_row = warp.n + static_cast<int>(row_b.row);
  const auto a_tile = stage + a_row * kTile.block_k;
  const auto b_tile = stage + (kTile.block_m + b_row) * kTile.block_k;
  YOLOCU_UNROLL
  for (int k = 0; k < kTile.block_k; k += kDepth) {
    const int a_piece = k / kPiece<kTile> + static_cast<int>(row_a.byte) / 16;
    const int b_piece = k / kPiece<kTile> + static_cast<int>(row_b.byte) / 16;
    device::FragmentA<T, kTile.warp_m / 16> a;
    device::FragmentB<T, kTile.warp_n / 16> b;
    // The swizzle repeats every 8 rows, so the tiles of 16 rows lie at equal distances.
    device::load_fragment(a, a_tile + swizzled_piece<kTile>(a_row, a_piece), 16 * kTile.block_k);
    device::load_fragment(b, b_tile + swizzled_piece<kTile>(b_row, b_piece), 16 * kTile.block_k);
    device::multiply_add(sums, a, b);
  }
}

// --- Epilogue: sums change from the lanes that mma.sync left them in to runs of channels.

constexpr int kSliceRows = 16, kSliceColumns = 32;  // of the sums that are staged at a time

struct alignas(8) FloatPair {
  float first, second;
};
struct alignas(16) FloatQuad {
  float values[4];
};

// Where element (row, column) of a slice [16, 32] f32 lies. Quads are swizzled so that both the
// writes (a half warp: 4 rows x 8 columns of pairs) and the reads (8 lanes: 2 rows x every other
// quad) meet all banks: the upper bits of the mask differ in 4 neighbouring rows, the lowest in 2.
YOLOCU_DEVICE int slice_place(int row, int column) {
  const int mask = (row % 4 * 2) | (row % 2);
  return row * kSliceColumns + ((column / 4) ^ mask) * 4 + column % 4;
}

// slice = rows 16 * m to 16 * m + 15 and columns 32 * n to 32 * n + 31 of the warp's sums.
template <typename Sums>
YOLOCU_DEVICE void stage_slice(device::SharedPtr<float> slice, const Sums& sums, int m, int n) {
  YOLOCU_UNROLL
  for (int half = 0; half < 2; ++half) {
    YOLOCU_UNROLL
    for (int i = 0; i < 8; i += 2) {
      const int column = half * 16 + device::fragment_sum_column(i);
      slice.template store<FloatPair>(
          slice_place(device::fragment_sum_row(i), column),
          {sums.get(m, 2 * n + half, i), sums.get(m, 2 * n + half, i + 1)});
    }
  }
}

// Ends the slice's sums: a lane takes 8 channels of a pixel, twice. first_pixel: of row 0.
template <typename T>
YOLOCU_DEVICE void finish_slice(device::SharedPtr<float> slice, const ConvArguments<T>& arguments,
                                const ChannelRun& run, int first_pixel) {
  const int lane = static_cast<int>(device::lane());
  YOLOCU_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int row = half * 8 + lane / 4;
    if (first_pixel + row >= arguments.shape.pixels) continue;
    const int column = lane % 4 * kRunChannels;
    const auto low = slice.template load<FloatQuad>(slice_place(row, column));
    const auto high = slice.template load<FloatQuad>(slice_place(row, column + 4));
    float values[kRunChannels];
    YOLOCU_UNROLL
    for (int i = 0; i < 4; ++i) {
      values[i] = low.values[i];
      values[i + 4] = high.values[i];
    }
    finish_run(arguments, run, first_pixel + row, values);
  }
}

// Slices of 16 rows that a warp stages before it reads them back: as many as the shared memory of
// the stages has room for, but all in equal rounds.
constexpr int staged_slices(const ConvTile& tile) {
  constexpr int kSliceBytes = kSliceRows * kSliceColumns * 4;
  const int rows = tile.warp_m / kSliceRows;
  int slices = rows;
  while (slices * tile.warps() * kSliceBytes > tile.shared_bytes() || rows % slices != 0) --slices;
  return slices;
}
template <ConvTile kTile>
constexpr int kStagedSlices = staged_slices(kTile);

// y of the warp's part of the block. The warp uses a part of shared memory of its own, in which
// nobody reads or writes any more.
template <typename T, ConvTile kTile>
YOLOCU_DEVICE void finish_warp(const ConvSums<T, kTile>& sums, const ConvArguments<T>& arguments,
                               int first_pixel, int first_channel) {
  constexpr int kSlices = kStagedSlices<kTile>;
  constexpr int kRows = kTile.warp_m / kSliceRows;
  constexpr int kSlice = kSliceRows * kSliceColumns;
  static_assert(kTile.warp_n % kSliceColumns == 0, "a warp's columns are whole slices");
  const int warp = static_cast<int>(device::warp_rank());
  const int group = static_cast<int>(device::block_index().z);
  const auto staged = device::shared_memory<float>() + warp * kSlices * kSlice;  // [kSlices,16,32]
  const int column = static_cast<int>(device::lane()) % 4 * kRunChannels;
  YOLOCU_UNROLL
  for (int n = 0; n < kTile.warp_n / kSliceColumns; ++n) {
    const ChannelRun run = channel_run(arguments.epilogue, arguments.shape, group,
                                       first_channel + n * kSliceColumns + column);
    YOLOCU_UNROLL
    for (int m = 0; m < kRows; m += kSlices) {
      if (n + m > 0) device::sync_warp();  // the slices before have been read
      YOLOCU_UNROLL
      for (int i = 0; i < kSlices; ++i) stage_slice(staged + i * kSlice, sums, m + i, n);
      device::sync_warp();
      if (run.count <= 0) continue;
      YOLOCU_UNROLL
      for (int i = 0; i < kSlices; ++i) {
        finish_slice(staged + i * kSlice, arguments, run, first_pixel + (m + i) * kSliceRows);
      }
    }
  }
}

// One block computes block_m pixels x block_n channels of y, of one group.
// x, w: vectors of kLoadBytes are aligned and within one filter position.
// grid (ceil(N*P*Q / block_m) * ceil(K / groups / block_n), 1, groups), ConvTile::threads()
// threads, ConvTile::shared_bytes() of shared memory.
// The tile comes as numbers because nvcc 13.0 writes broken host code for kernels with a template
// parameter of class type.
template <typename T, int kBlockM, int kBlockN, int kBlockK, int kWarpM, int kWarpN, int kStages,
          int kLoadBytes>
YOLOCU_KERNEL conv_igemm_kernel(YOLOCU_KERNEL_PARAM ConvArguments<T> arguments) {
  constexpr ConvTile kTile = {kBlockM, kBlockN, kBlockK, kWarpM, kWarpN, kStages};
  static_assert(kTile.block_m % kTile.warp_m == 0 && kTile.block_n % kTile.warp_n == 0,
                "the warps cover the block");
  const auto block = BlockPlace<kTile>::current(arguments.shape);
  const auto warp = WarpPlace<kTile>::current();
  ConvSums<T, kTile> sums;  // [warp_m, warp_n]
  sums.fill(0.0f);
  for_each_stage<T, kTile, kLoadBytes>(arguments, block, [&](device::SharedPtr<T> stage) {
    multiply_stage<T, kTile>(sums, stage, warp);
  });
  device::wait_all_copies();
  device::sync_block();  // every warp has read its operands: the stages are free
  finish_warp<T, kTile>(sums, arguments, block.pixel + warp.m, block.channel + warp.n);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
