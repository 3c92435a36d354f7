// Extents of F(4 x 4, 3 x 3) that kernels and planning share.
#pragma once

#include <cstdint>

namespace yolocu::cpu {

inline constexpr int64_t kWinogradOut = 4;  // outputs a tile and direction
inline constexpr int64_t kWinogradIn = 6;   // inputs that they need
inline constexpr int64_t kWinogradProducts = kWinogradIn * kWinogradIn;

inline int64_t winograd_tiles(int64_t out_extent) {
  return (out_extent + kWinogradOut - 1) / kWinogradOut;
}

// Vectors from one of the 36 matrices to the next. One more than they hold: were the distance a
// multiple of 4 KiB, all 36 would compete for the same lines of the first cache.
inline int64_t winograd_stride(int64_t blocks, int64_t tiles) {
  return blocks * tiles + 1;
}

}  // namespace yolocu::cpu
