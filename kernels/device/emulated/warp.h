// warp.h on the host. A value travels as 64 bits, whatever its type.
#pragma once

#include <cstring>

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

inline void sync_warp(uint32_t mask, CallSite site) {
  emulation::sync_warp(mask, site);
}

template <typename T>
T exchange(T value, emulation::Shuffle shuffle, CallSite site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = emulation::shuffle(bits, shuffle, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

template <typename T>
T shuffle(T value, uint32_t source, uint32_t mask, uint32_t width, CallSite site) {
  return exchange(value, {emulation::ShuffleKind::kIndex, source, mask, width}, site);
}

template <typename T>
T shuffle_up(T value, uint32_t delta, uint32_t mask, uint32_t width, CallSite site) {
  return exchange(value, {emulation::ShuffleKind::kUp, delta, mask, width}, site);
}

template <typename T>
T shuffle_down(T value, uint32_t delta, uint32_t mask, uint32_t width, CallSite site) {
  return exchange(value, {emulation::ShuffleKind::kDown, delta, mask, width}, site);
}

template <typename T>
T shuffle_xor(T value, uint32_t pattern, uint32_t mask, uint32_t width, CallSite site) {
  return exchange(value, {emulation::ShuffleKind::kXor, pattern, mask, width}, site);
}

inline uint32_t ballot(int predicate, uint32_t mask, CallSite site) {
  return emulation::vote(predicate, mask, site).votes;
}

inline int any_lane(int predicate, uint32_t mask, CallSite site) {
  return emulation::vote(predicate, mask, site).votes != 0 ? 1 : 0;
}

inline int all_lanes(int predicate, uint32_t mask, CallSite site) {
  const emulation::Vote vote = emulation::vote(predicate, mask, site);
  return vote.votes == vote.voters ? 1 : 0;
}

}  // namespace emulated_target
}  // namespace yolocu::device
