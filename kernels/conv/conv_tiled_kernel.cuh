// Convolution of f32 by ordinary arithmetic, as an implicit GEMM: a warp computes its tile from
// operands in shared memory, a thread many outputs. Formula and tensors: conv.h.
#pragma once

#include "kernels/conv/conv_epilogue.cuh"
#include "kernels/conv/conv_pipeline.cuh"
#include "kernels/device/scalar.h"
#include "kernels/device/threads.h"
#include "kernels/device/warp.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// Lanes of a warp, [4, 8]. Rows that neighbouring lanes read are neighbours, so that they meet
// different banks; eight channels side by side are 32 bytes of y, a whole sector.
constexpr int kLaneRows = 4, kLaneColumns = 8;

// Of a warp's tile the elements (lane / 8 + 4 * i, lane % 8 + 8 * j).
template <ConvTile kTile>
struct ThreadSums {
  static constexpr int kRows = kTile.warp_m / kLaneRows;
  static constexpr int kColumns = kTile.warp_n / kLaneColumns;
  float values[kRows][kColumns];
};

struct alignas(16) OperandQuad {
  float values[4];
};

// sums += the product of one stage, each sum in order of k.
template <ConvTile kTile>
YOLOCU_DEVICE void multiply_stage(ThreadSums<kTile>& sums, device::SharedPtr<float> stage, int row,
                                  int column) {
  using Sums = ThreadSums<kTile>;
  const auto b = stage + kTile.block_m * kTile.block_k;
  YOLOCU_UNROLL
  for (int piece = 0; piece < kTile.block_k / 4; ++piece) {
    OperandQuad w[Sums::kColumns];
    YOLOCU_UNROLL
    for (int j = 0; j < Sums::kColumns; ++j) {
      const int at = column + j * kLaneColumns;
      w[j] = b.template load<OperandQuad>(at * kTile.block_k + swizzled_piece<kTile>(at, piece));
    }
    YOLOCU_UNROLL
    for (int i = 0; i < Sums::kRows; ++i) {
      const int at = row + i * kLaneRows;
      const auto x =
          stage.template load<OperandQuad>(at * kTile.block_k + swizzled_piece<kTile>(at, piece));
      YOLOCU_UNROLL
      for (int j = 0; j < Sums::kColumns; ++j) {
        YOLOCU_UNROLL
        for (int e = 0; e < 4; ++e) {
          sums.values[i][j] =
              device::fused_multiply_add(x.values[e], w[j].values[e], sums.values[i][j]);
        }
      }
    }
  }
}

// One block computes block_m pixels x block_n channels of y, of one group, a thread 8 x 4 of a
// warp's 32 x 32. Launched as conv_igemm_kernel. Each sum is in order of k, every step fused: the
// bits are those of the naive kernel.
template <int kBlockM, int kBlockN, int kBlockK, int kWarpM, int kWarpN, int kStages,
          int kLoadBytes>
YOLOCU_KERNEL conv_tiled_kernel(YOLOCU_KERNEL_PARAM ConvArguments<float> arguments) {
  constexpr ConvTile kTile = {kBlockM, kBlockN, kBlockK, kWarpM, kWarpN, kStages, 4};
  using Sums = ThreadSums<kTile>;
  const ConvShape& shape = arguments.shape;
  const auto block = BlockPlace<kTile>::current(shape);
  const auto warp = WarpPlace<kTile>::current();
  const int lane = static_cast<int>(device::lane());
  const int row = warp.m + lane / kLaneColumns, column = warp.n + lane % kLaneColumns;
  Sums sums = {};
  for_each_stage<float, kTile, kLoadBytes>(
      arguments, block,
      [&](device::SharedPtr<float> stage) { multiply_stage<kTile>(sums, stage, row, column); },
      [] {});
  device::wait_all_copies();  // of the empty groups at the end
  const int group = static_cast<int>(device::block_index().z);
  YOLOCU_UNROLL
  for (int i = 0; i < Sums::kRows; ++i) {
    const int pixel = block.pixel + row + i * kLaneRows;
    YOLOCU_UNROLL
    for (int j = 0; j < Sums::kColumns; ++j) {
      const int channel = block.channel + column + j * kLaneColumns;
      if (pixel >= shape.pixels || channel >= shape.out_channels) continue;
      finish_number(arguments, pixel, group * shape.out_channels + channel, sums.values[i][j]);
    }
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
