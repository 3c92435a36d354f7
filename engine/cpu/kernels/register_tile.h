// The inner loop of all convolutions: a tile of kPixels x kBlocks blocks of outputs, held in
// registers, over all input channels and taps of the window.
//
//   sum[n][m][k] = start[n][k]
//                  + sum over c, t of x[c, offset(t) + m * kPixelStride] * w[n][k][c, t]
//
// For each multiply-add one vector of weights meets one input in all its lanes. On Zen 4, which
// starts one 512-bit fma and one 512-bit load (or two narrow ones) a cycle, 14 x 2 takes 28 cycles
// for 28 fma, 2 loads and 14 broadcasts; on Intel's cores with two fma a cycle, 14. It leaves 4 of
// the 32 registers: two vectors of weights and the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/cpu/kernels/elements.h"

namespace yolocu::cpu {

// Where a tile reads. Offsets are elements.
template <typename E>
struct TileSource {
  const typename E::Source* data = nullptr;  // the tap (0, 0) of the first pixel's first channel
  const int64_t* taps = nullptr;             // offset of each tap
  int64_t tap_count = 1;
  int64_t blocks = 1;        // of channels
  int64_t block_stride = 0;  // from one block of channels to the next
  // Of int8: [kBlocks][kLanes], what sums start with; others start with 0.
  const int32_t* start = nullptr;
};

// sums: kBlocks x kPixels vectors, sum_stride vectors from one block to the next. weights [blocks]
// [taps][kSteps][kBlocks][kLanes * kPack]. kSteps: multiply-adds a tap and block of channels.
// Not inlined: all epilogues share one copy.
template <typename E, typename Set, int kPixels, int kBlocks, int kPixelStride, int kSteps>
[[gnu::noinline]] void register_tile(typename E::Accumulator* sums, int64_t sum_stride,
                                     const TileSource<E>& source,
                                     const typename E::Weight* weights) {
  using Accumulator = typename E::Accumulator;
  constexpr int kVector = Set::kLanes * E::kPack;
  Accumulator sum[kBlocks][kPixels] = {};
  if constexpr (std::is_same_v<E, Int8Element<Set>>) {
#pragma GCC unroll 2
    for (int n = 0; n < kBlocks; ++n) {
      const auto start = load<Accumulator>(source.start + n * Set::kLanes);
#pragma GCC unroll 16
      for (int m = 0; m < kPixels; ++m) sum[n][m] = start;
    }
  }
  for (int64_t block = 0; block < source.blocks; ++block) {
    const typename E::Source* const channels = source.data + block * source.block_stride;
    for (int64_t tap = 0; tap < source.tap_count; ++tap) {
      const typename E::Source* x = channels + source.taps[tap];
#pragma GCC unroll 4
      for (int step = 0; step < kSteps; ++step) {
        const auto w0 = E::load_weights(weights);
        const auto w1 = E::load_weights(weights + (kBlocks - 1) * kVector);
#pragma GCC unroll 16
        for (int m = 0; m < kPixels; ++m) {
          const auto input = E::broadcast_source(x + m * kPixelStride);
          sum[0][m] = E::dot(sum[0][m], input, w0);
          if constexpr (kBlocks == 2) sum[1][m] = E::dot(sum[1][m], input, w1);
        }
        x += E::kPack;
        weights += kBlocks * kVector;
      }
    }
  }
#pragma GCC unroll 2
  for (int n = 0; n < kBlocks; ++n) {
#pragma GCC unroll 16
    for (int m = 0; m < kPixels; ++m) sums[n * sum_stride + m] = sum[n][m];
  }
}

// Pixels in the largest tile: what the registers hold beside two vectors of weights and one of
// inputs.
template <typename Set>
constexpr int kTilePixels = Set::kLanes == 16 ? 14 : 6;

// Calls the tile for `pixels` in 1..kTilePixels and one or two blocks.
template <typename E, typename Set, int kPixelStride, int kSteps, int kPixels = kTilePixels<Set>>
inline void run_tile(int64_t pixels, int64_t blocks, typename E::Accumulator* sums,
                     int64_t sum_stride, const TileSource<E>& source,
                     const typename E::Weight* weights) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels) {
      return run_tile<E, Set, kPixelStride, kSteps, kPixels - 1>(pixels, blocks, sums, sum_stride,
                                                                 source, weights);
    }
  }
  if (blocks == 2) {
    register_tile<E, Set, kPixels, 2, kPixelStride, kSteps>(sums, sum_stride, source, weights);
  } else {
    register_tile<E, Set, kPixels, 1, kPixelStride, kSteps>(sums, sum_stride, source, weights);
  }
}

}  // namespace yolocu::cpu
