// Sums of a warp of the implicit GEMM, changed from the lanes that mma.sync left them in to runs of
// channels, by way of slices in shared memory.
#pragma once

#include "kernels/conv/conv_epilogue.cuh"
#include "kernels/device/fragment.h"
#include "kernels/device/memory.h"
#include "kernels/device/warp.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

template <typename T, ConvTile kTile>
using ConvSums = device::FragmentSums<T, kTile.warp_m / 16, kTile.warp_n / 16>;

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

// visit(half, values) for the lane's runs of the slice.
template <typename Visit>
YOLOCU_DEVICE void for_each_run_of_slice(device::SharedPtr<float> slice, const Visit& visit) {
  YOLOCU_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int row = run_row(half), column = run_column();
    const auto low = slice.template load<FloatQuad>(slice_place(row, column));
    const auto high = slice.template load<FloatQuad>(slice_place(row, column + 4));
    float values[kRunChannels];
    YOLOCU_UNROLL
    for (int i = 0; i < 4; ++i) {
      values[i] = low.values[i];
      values[i + 4] = high.values[i];
    }
    visit(half, values);
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

// visit(run, m, n, half, values) for the lane's runs in all slices of the warp that hold channels:
// half `half` of slice (m, n). values: the sums, which visit may use up. first_channel: of the
// warp. The warp uses a part of shared memory of its own, in which nobody reads or writes any more.
template <typename T, ConvTile kTile, typename Visit>
YOLOCU_DEVICE void for_each_run_of_warp(const ConvSums<T, kTile>& sums,
                                        const ConvArguments<T>& arguments, int first_channel,
                                        const Visit& visit) {
  constexpr int kSlices = kStagedSlices<kTile>;
  constexpr int kSlice = kSliceRows * kSliceColumns;
  static_assert(kTile.warp_n % kSliceColumns == 0, "a warp's columns are whole slices");
  const int warp = static_cast<int>(device::warp_rank());
  const auto staged = device::shared_memory<float>() + warp * kSlices * kSlice;  // [kSlices,16,32]
  YOLOCU_UNROLL
  for (int n = 0; n < kTile.warp_n / kSliceColumns; ++n) {
    const ChannelRun run = run_of_slice(arguments, first_channel, n);
    YOLOCU_UNROLL
    for (int m = 0; m < kTile.warp_m / kSliceRows; m += kSlices) {
      if (n + m > 0) device::sync_warp();  // the slices before have been read
      YOLOCU_UNROLL
      for (int i = 0; i < kSlices; ++i) stage_slice(staged + i * kSlice, sums, m + i, n);
      device::sync_warp();
      if (run.count <= 0) continue;
      YOLOCU_UNROLL
      for (int i = 0; i < kSlices; ++i) {
        for_each_run_of_slice(staged + i * kSlice, [&](int half, float(&values)[kRunChannels]) {
          visit(run, m + i, n, half, values);
        });
      }
    }
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
