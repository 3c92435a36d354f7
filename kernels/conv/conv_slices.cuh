// Sums of a warp of the implicit GEMM, changed from the lanes that mma.sync left them in to runs of
// channels, by way of slices in shared memory.
#pragma once

#include "kernels/conv/conv_epilogue.cuh"
#include "kernels/device/fragment.h"
#include "kernels/device/memory.h"
#include "kernels/device/warp.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

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

// The lane's run in half `half` of a slice: 8 channels of a pixel.
YOLOCU_DEVICE int run_row(int half) {
  return half * 8 + static_cast<int>(device::lane()) / 4;
}
YOLOCU_DEVICE int run_column() {
  return static_cast<int>(device::lane()) % 4 * kRunChannels;
}

// The lane's channels in slices (any, n) of the warp whose first channel is first_channel.
template <typename T>
YOLOCU_DEVICE ChannelRun run_of_slice(const ConvArguments<T>& arguments, int first_channel, int n) {
  const int group = static_cast<int>(device::block_index().z);
  const int channel = first_channel + n * kSliceColumns + run_column();
  const int channels = arguments.shape.out_channels;
  return channel_run(arguments.epilogue, group * channels + channel, channels - channel);
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

// values = the lane's run in half `half` of the slice.
YOLOCU_DEVICE void load_run(float (&values)[kRunChannels], device::SharedPtr<float> slice,
                            int half) {
  const int row = run_row(half), column = run_column();
  const auto low = slice.template load<FloatQuad>(slice_place(row, column));
  const auto high = slice.template load<FloatQuad>(slice_place(row, column + 4));
  YOLOCU_UNROLL
  for (int i = 0; i < 4; ++i) {
    values[i] = low.values[i];
    values[i + 4] = high.values[i];
  }
}

// visit(run, m, n, half, values) for the lane's runs in all slices of the warp that hold channels:
// half `half` of slice (m, n). values: the sums, which visit may use up. first_channel: of the
// warp. The warp uses a part of shared memory of its own, in which nobody reads or writes any more.
//
// Registers have no index at run time, so that staging is unrolled; what follows is not: visit is
// long, runs once a run of channels, and a copy of it for each would be fetched from L2 once.
// Sums: get(m, n, i) as of FragmentSums<T, warp_m / 16, warp_n / 16>.
template <ConvTile kTile, typename T, typename Sums, typename Visit>
YOLOCU_DEVICE void for_each_run_of_warp(const Sums& sums, const ConvArguments<T>& arguments,
                                        int first_channel, const Visit& visit) {
  constexpr int kRows = kTile.warp_m / kSliceRows, kColumns = kTile.warp_n / kSliceColumns;
  constexpr int kSlice = kSliceRows * kSliceColumns;
  static_assert(kTile.warp_n % kSliceColumns == 0, "a warp's columns are whole slices");
  const int warp = static_cast<int>(device::warp_rank());
  // [kColumns, kRows, 16, 32]
  const auto staged = device::shared_memory<float>() + warp * kColumns * kRows * kSlice;
  YOLOCU_UNROLL
  for (int n = 0; n < kColumns; ++n) {
    YOLOCU_UNROLL
    for (int m = 0; m < kRows; ++m) stage_slice(staged + (n * kRows + m) * kSlice, sums, m, n);
  }
  device::sync_warp();
  YOLOCU_ROLL
  for (int n = 0; n < kColumns; ++n) {
    const ChannelRun run = run_of_slice(arguments, first_channel, n);
    if (run.count <= 0) continue;
    YOLOCU_ROLL
    for (int row = 0; row < 2 * kRows; ++row) {  // half slices
      const int m = row / 2, half = row % 2;
      float values[kRunChannels];
      load_run(values, staged + (n * kRows + m) * kSlice, half);
      visit(run, m, n, half, values);
    }
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
