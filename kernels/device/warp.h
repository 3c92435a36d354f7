// Exchange between the lanes of a warp. All of it exists on sm_80 and later. Every lane of `mask`
// must make the same call with the same mask, and be in it. None but sync_warp orders memory.
#pragma once

#include <type_traits>

#include "kernels/device/target.h"
#include "kernels/device/threads.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

constexpr uint32_t kAllLanes = 0xFFFFFFFF;

// bar.warp.sync (__syncwarp): the lanes of mask wait for each other; what they wrote before is
// visible to them after.
YOLOCU_DEVICE void sync_warp(uint32_t mask = kAllLanes YOLOCU_SITE);

// shfl.sync.{idx,up,down,bfly} (__shfl*_sync): the value of another lane of the same segment of
// `width` lanes (a power of two). T has 4 or 8 bytes. With b the first lane of the own segment:
//   shuffle      lane b + source % width
//   shuffle_up   lane - delta, or the own one below b
//   shuffle_down lane + delta, or the own one at b + width and above
//   shuffle_xor  lane ^ pattern, or the own one at b + width and above
// The lane read must be in mask.
template <typename T>
YOLOCU_DEVICE T shuffle(T value, uint32_t source, uint32_t mask = kAllLanes,
                        uint32_t width = kWarpSize YOLOCU_SITE);
template <typename T>
YOLOCU_DEVICE T shuffle_up(T value, uint32_t delta, uint32_t mask = kAllLanes,
                           uint32_t width = kWarpSize YOLOCU_SITE);
template <typename T>
YOLOCU_DEVICE T shuffle_down(T value, uint32_t delta, uint32_t mask = kAllLanes,
                             uint32_t width = kWarpSize YOLOCU_SITE);
template <typename T>
YOLOCU_DEVICE T shuffle_xor(T value, uint32_t pattern, uint32_t mask = kAllLanes,
                            uint32_t width = kWarpSize YOLOCU_SITE);

// vote.sync.ballot (__ballot_sync): bit l is set if lane l of mask has a predicate that is not 0.
YOLOCU_DEVICE uint32_t ballot(int predicate, uint32_t mask = kAllLanes YOLOCU_SITE);
// vote.sync.any and .all: 1 if one lane of mask, or every lane of it, has such a predicate; else 0.
YOLOCU_DEVICE int any_lane(int predicate, uint32_t mask = kAllLanes YOLOCU_SITE);
YOLOCU_DEVICE int all_lanes(int predicate, uint32_t mask = kAllLanes YOLOCU_SITE);

// Sum and maximum over the 32 lanes, in every lane: five shuffle_xor, 16 lanes apart first, so that
// the order of a float sum is fixed. With NaN, or zeros of both signs, lanes may disagree on a
// maximum.
template <typename T>
YOLOCU_DEVICE T warp_sum(T value YOLOCU_SITE) {
  YOLOCU_UNROLL
  for (uint32_t distance = kWarpSize / 2; distance > 0; distance /= 2) {
    value += shuffle_xor(value, distance, kAllLanes, kWarpSize YOLOCU_PASS_SITE);
  }
  return value;
}

template <typename T>
YOLOCU_DEVICE T warp_max(T value YOLOCU_SITE) {
  YOLOCU_UNROLL
  for (uint32_t distance = kWarpSize / 2; distance > 0; distance /= 2) {
    const T other = shuffle_xor(value, distance, kAllLanes, kWarpSize YOLOCU_PASS_SITE);
    value = value < other ? other : value;
  }
  return value;
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/warp.cuh"
#else
#include "kernels/device/emulated/warp.h"
#endif
