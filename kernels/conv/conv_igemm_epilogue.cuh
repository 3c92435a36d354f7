// The end of a block of the implicit GEMM: y of its sums, or, where k is split among blocks, its
// share of them, and y by the last block of the tile. Formula and tensors: conv.h.
#pragma once

#include "kernels/conv/conv_pipeline.cuh"
#include "kernels/conv/conv_slices.cuh"
#include "kernels/device/atomics.h"
#include "kernels/device/threads.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// Where a thread's run in half `half` of slice (m, n) of its warp lies in the partial sums of a
// block, in elements: quads, those of all threads side by side. The second quad lies one such row
// further on.
template <ConvTile kTile>
constexpr int kQuadRow = kTile.threads() * 4;
template <ConvTile kTile>
YOLOCU_DEVICE int partial_place(int m, int n, int half) {
  const int run = (n * (kTile.warp_m / kSliceRows) + m) * 2 + half;
  return run * 2 * kQuadRow<kTile> + static_cast<int>(device::thread_rank()) * 4;
}

// The partial sums of split `split` of the block's tile, [block_m * block_n].
template <ConvTile kTile, typename T>
YOLOCU_DEVICE device::GlobalPtr<float> partials_of(const ConvArguments<T>& arguments, int split) {
  const int64_t splits = device::grid_extent().y;
  const int64_t block = device::block_index().x * splits + split;
  return arguments.split.partials + block * (kTile.block_m * kTile.block_n);
}

// True in the last block of the tile to come here, which then sees the others' partial sums. It
// leaves the ticket at zero.
template <typename T>
YOLOCU_DEVICE bool is_last_of_tile(const ConvArguments<T>& arguments) {
  const auto answer = device::shared_memory<uint32_t>();
  device::sync_block();  // the block's sums are stored, its shared memory is free
  if (device::thread_rank() == 0) {
    const auto tickets = arguments.split.tickets;
    const int64_t tile = device::block_index().x;
    const auto others = static_cast<uint32_t>(device::grid_extent().y - 1);
    const auto before = device::atomic_add<device::Order::kAcquireRelease>(tickets, tile, 1);
    if (before == others) device::atomic_exchange(tickets, tile, 0);
    answer.store(0, before == others);
  }
  device::sync_block();
  return answer.load(0) != 0;
}

// values = the sum over all splits, in this order, of the run at `place` of the partial sums.
template <ConvTile kTile, typename T>
YOLOCU_DEVICE void sum_splits(float (&values)[kRunChannels], const ConvArguments<T>& arguments,
                              int place) {
  YOLOCU_UNROLL
  for (float& value : values) value = 0.0f;
  const int splits = static_cast<int>(device::grid_extent().y);
  for (int split = 0; split < splits; ++split) {
    const auto partials = partials_of<kTile>(arguments, split);
    const auto low = partials.template load<FloatQuad>(place);
    const auto high = partials.template load<FloatQuad>(place + kQuadRow<kTile>);
    YOLOCU_UNROLL
    for (int i = 0; i < 4; ++i) {
      values[i] += low.values[i];
      values[i + 4] += high.values[i];
    }
  }
}

// y of the warp's part of the tile, of the partial sums. pixel, channel: the warp's first.
template <ConvTile kTile, typename T>
YOLOCU_DEVICE void finish_splits(const ConvArguments<T>& arguments, int pixel, int channel) {
  YOLOCU_ROLL
  for (int n = 0; n < kTile.warp_n / kSliceColumns; ++n) {
    const ChannelRun run = run_of_slice(arguments, channel, n);
    if (run.count <= 0) continue;
    YOLOCU_ROLL
    for (int row = 0; row < kTile.warp_m / 8; ++row) {  // half slices
      const int m = row / 2, half = row % 2;
      const int run_pixel = pixel + m * kSliceRows + run_row(half);
      if (run_pixel >= arguments.shape.pixels) continue;
      float values[kRunChannels];
      sum_splits<kTile>(values, arguments, partial_place<kTile>(m, n, half));
      finish_run(arguments, run, run_pixel, values);
    }
  }
}

// y of the block's tile; nobody reads or writes its shared memory any more. pixel, channel: the
// warp's first.
template <ConvTile kTile, typename T, typename Sums>
YOLOCU_DEVICE void finish_block(const Sums& sums, const ConvArguments<T>& arguments, int pixel,
                                int channel) {
  const bool is_split = device::grid_extent().y > 1;
  const int split = static_cast<int>(device::block_index().y);
  for_each_run_of_warp<kTile>(
      sums, arguments, channel,
      [&](const ChannelRun& run, int m, int n, int half, float(&values)[kRunChannels]) {
        const int run_pixel = pixel + m * kSliceRows + run_row(half);
        if (run_pixel >= arguments.shape.pixels) return;
        if (!is_split) return finish_run(arguments, run, run_pixel, values);
        const auto partials = partials_of<kTile>(arguments, split);
        const int place = partial_place<kTile>(m, n, half);
        partials.template store<FloatQuad>(place, {values[0], values[1], values[2], values[3]});
        partials.template store<FloatQuad>(place + kQuadRow<kTile>,
                                           {values[4], values[5], values[6], values[7]});
      });
  if (is_split && is_last_of_tile(arguments)) finish_splits<kTile>(arguments, pixel, channel);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
