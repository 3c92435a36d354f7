// Convolution as an implicit GEMM on mma.sync. Formula and tensors: conv.h. Source of the method:
// Chetlur et al. 2014, "cuDNN: Efficient Primitives for Deep Learning", section 3.
#pragma once

#include "kernels/conv/conv_igemm_epilogue.cuh"
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

// One block computes block_m pixels x block_n channels of y, of one group.
// x, w: vectors of kLoadBytes are aligned and within one filter position.
// grid (ceil(N*P*Q / block_m) * ceil(K / groups / block_n), splits, groups), ConvTile::threads()
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
  for_each_stage<T, kTile, kLoadBytes>(
      arguments, block,
      [&](device::SharedPtr<T> stage) { multiply_stage<T, kTile>(sums, stage, warp); }, [] {});
  device::wait_all_copies();
  device::sync_block();  // every warp has read its operands: the stages are free
  finish_block<kTile>(sums, arguments, block.pixel + warp.m, block.channel + warp.n);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
