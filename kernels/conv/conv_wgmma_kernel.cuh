// Convolution as an implicit GEMM on wgmma. Formula and tensors: conv.h.
//
// The operands come as in conv_igemm_kernel.cuh: cp.async gathers x through the filter. What it
// writes is what wgmma reads: rows of 64 elements, 128 bytes, whose 16-byte piece j lies at place
// j ^ row % 8, are k-major operands with the 128-byte swizzle (PTX ISA 9.0, 9.7.15.5.1).
#pragma once

#include "kernels/conv/conv_igemm_epilogue.cuh"
#include "kernels/conv/conv_pipeline.cuh"
#include "kernels/device/threads.h"
#include "kernels/device/wgmma.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// Sums of a warpgroup as those of its warps: rows 16 * w to 16 * w + 15 of the 64.
template <typename T, int kN>
struct WarpOfGroupSums {
  const device::WarpgroupSums<T, kN>& sums;
  YOLOCU_DEVICE float get(int, int n, int i) const { return sums.get(8 * n + i); }
};

// sums += the product of one stage, begun: rows of a from `row` on, the warpgroup's.
template <typename T, ConvTile kTile>
YOLOCU_DEVICE void begin_product(device::WarpgroupSums<T, kTile.block_n>& sums,
                                 device::SharedPtr<T> stage, int row) {
  constexpr int kDepth = device::MatrixType<T>::kDepth;
  constexpr uint32_t kEightRows = 8 * 128;
  const auto a = stage + row * kTile.block_k;
  const auto b = stage + kTile.block_m * kTile.block_k;
  const auto operand = [](device::SharedPtr<T> start) {
    return device::wgmma_operand(start, 16, kEightRows, Swizzle::k128B);
  };
  device::wgmma_fence(sums);
  YOLOCU_UNROLL
  for (int k = 0; k < kTile.block_k; k += kDepth) {
    device::wgmma(sums, operand(a + k), operand(b + k), device::Accumulate::kAdd);
  }
  device::wgmma_commit();
}

// One block computes block_m pixels x block_n channels of y, of one group; a warpgroup 64 of the
// pixels. Launched as conv_igemm_kernel. sm_90a only.
template <typename T, int kBlockM, int kBlockN, int kStages>
YOLOCU_KERNEL conv_wgmma_kernel(YOLOCU_KERNEL_PARAM ConvArguments<T> arguments) {
  constexpr ConvTile kTile = {kBlockM, kBlockN, 64, 16, kBlockN, kStages};
  constexpr int kLoadBytes = 16;
  const auto block = BlockPlace<kTile>::current(arguments.shape);
  const auto warp = WarpPlace<kTile>::current();
  device::WarpgroupSums<T, kBlockN> sums;
  sums.fill(0.0f);
  for_each_stage<T, kTile, kLoadBytes, Product::kUnderWay>(
      arguments, block,
      [&](device::SharedPtr<T> stage) { begin_product<T, kTile>(sums, stage, warp.m / 64 * 64); },
      [&] {
        device::fence_async_proxy_in_block();  // of this thread's copies, which wgmma is to read
        device::wgmma_wait<0>(sums);  // the product of the step before
      });
  device::wgmma_wait<0>(sums);
  device::wait_all_copies();
  device::sync_block();  // every warpgroup has read its operands: the stages are free
  finish_block<kTile>(WarpOfGroupSums<T, kBlockN>{sums}, arguments, block.pixel + warp.m,
                      block.channel);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
