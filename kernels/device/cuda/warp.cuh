// warp.h in CUDA.
#pragma once

namespace yolocu::device {
inline namespace cuda_target {

YOLOCU_DEVICE void sync_warp(uint32_t mask) {
  __syncwarp(mask);
}

template <typename T>
YOLOCU_DEVICE T shuffle(T value, uint32_t source, uint32_t mask, uint32_t width) {
  return __shfl_sync(mask, value, static_cast<int>(source), static_cast<int>(width));
}

template <typename T>
YOLOCU_DEVICE T shuffle_up(T value, uint32_t delta, uint32_t mask, uint32_t width) {
  return __shfl_up_sync(mask, value, delta, static_cast<int>(width));
}

template <typename T>
YOLOCU_DEVICE T shuffle_down(T value, uint32_t delta, uint32_t mask, uint32_t width) {
  return __shfl_down_sync(mask, value, delta, static_cast<int>(width));
}

template <typename T>
YOLOCU_DEVICE T shuffle_xor(T value, uint32_t pattern, uint32_t mask, uint32_t width) {
  return __shfl_xor_sync(mask, value, static_cast<int>(pattern), static_cast<int>(width));
}

YOLOCU_DEVICE uint32_t ballot(int predicate, uint32_t mask) {
  return __ballot_sync(mask, predicate);
}

YOLOCU_DEVICE int any_lane(int predicate, uint32_t mask) {
  return __any_sync(mask, predicate) != 0 ? 1 : 0;
}

YOLOCU_DEVICE int all_lanes(int predicate, uint32_t mask) {
  return __all_sync(mask, predicate) != 0 ? 1 : 0;
}

}  // namespace cuda_target
}  // namespace yolocu::device
