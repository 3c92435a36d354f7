// The loop over k that the implicit GEMMs share: operand tiles pass through a ring in shared
// memory.
#pragma once

#include "kernels/conv/conv_operands.cuh"
#include "kernels/device/dependent_launch.h"
#include "kernels/device/threads.h"
#include "kernels/device/warp.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// The first pixel and channel of the block. channel: within the group.
template <ConvTile kTile>
struct BlockPlace {
  int pixel, channel;

  YOLOCU_DEVICE static BlockPlace current(const ConvShape& shape) {
    const int columns = (shape.out_channels + kTile.block_n - 1) / kTile.block_n;
    const int block = static_cast<int>(device::block_index().x);
    return {block / columns * kTile.block_m, block % columns * kTile.block_n};
  }
};

// The warp's place within the block tile, in elements.
template <ConvTile kTile>
struct WarpPlace {
  int m, n;

  YOLOCU_DEVICE static WarpPlace current() {
    constexpr int kColumns = kTile.block_n / kTile.warp_n;
    const int warp = static_cast<int>(device::warp_rank());
    return {warp / kColumns * kTile.warp_m, warp % kColumns * kTile.warp_n};
  }
};

// Whether a step's product is computed when multiply() returns, or goes on while copies are issued.
enum class Product : uint8_t { kDone, kUnderWay };

// multiply(stage) for every block_k of the block's part of k, in order; stage: a [block_m,
// block_k], then b [block_n, block_k].
//
// A ring of `stages` operand tiles: while one is multiplied, the next stages - 1 are on their way.
// One barrier a step does for both directions: past it, the step's tile is there for everybody, and
// nobody reads the tile of the step before, whose place takes the copies issued now.
// before_barrier(): when this thread's share of the step's tile is there, and before it says that
// it has read that of the step before.
template <typename T, ConvTile kTile, int kLoadBytes, Product kProduct = Product::kDone,
          typename Multiply, typename BeforeBarrier>
YOLOCU_DEVICE void for_each_stage(const ConvArguments<T>& arguments, const BlockPlace<kTile>& block,
                                  const Multiply& multiply, const BeforeBarrier& before_barrier) {
  static_assert(sizeof(T) == kTile.element_bytes, "the tile is of elements of T");
  constexpr int kStages = kTile.stages;
  static_assert(kStages >= 2, "copies need a stage that is not being read");
  constexpr int kStage = (kTile.block_m + kTile.block_n) * kTile.block_k;
  constexpr int kStageB = kTile.block_m * kTile.block_k;
  const ConvShape& shape = arguments.shape;
  const int group = static_cast<int>(device::block_index().z);
  const int first_step = static_cast<int>(device::block_index().y) * arguments.split.stages;
  const int first_k = first_step * kTile.block_k;
  PixelOperand<T, kTile, kLoadBytes> pixels(arguments, group, block.pixel, first_k);
  FilterOperand<T, kTile, kLoadBytes> filters(arguments, group, block.channel, first_k);
  const auto stages = device::shared_memory<T>();  // [stages, block_m + block_n, block_k]
  const int rest = (shape.depth + kTile.block_k - 1) / kTile.block_k - first_step;
  const int steps = rest < arguments.split.stages ? rest : arguments.split.stages;

  // No grid writes filters: theirs are on their way while the grids before this one end.
  YOLOCU_ROLL
  for (int i = 0; i < kStages - 1; ++i) {
    if (i < steps) filters.copy(stages + i * kStage + kStageB, shape);
  }
  device::wait_for_prior_grids();
  device::allow_next_grid();
  YOLOCU_ROLL
  for (int i = 0; i < kStages - 1; ++i) {
    if (i < steps) pixels.copy(stages + i * kStage, shape);
    device::commit_copies();  // empty groups keep the count that wait_copies relies on
  }
  int read = 0, write = kStages - 1;
  for (int step = 0; step < steps; ++step) {
    device::wait_copies<kStages - 2>();
    before_barrier();
    device::sync_block();
    if constexpr (kProduct == Product::kUnderWay) multiply(stages + read * kStage);
    if (step + kStages - 1 < steps) {
      pixels.copy(stages + write * kStage, shape);
      filters.copy(stages + write * kStage + kStageB, shape);
    }
    device::commit_copies();
    if constexpr (kProduct == Product::kDone) multiply(stages + read * kStage);
    read = read + 1 == kStages ? 0 : read + 1;
    write = write + 1 == kStages ? 0 : write + 1;
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
