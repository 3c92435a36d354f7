// Errors at calls that the lanes of a warp make together.
#pragma once

#include "tests/kernels/emulation/planted/registry.h"

namespace yolocu::testing {

template <Version kVersion>
YOLOCU_KERNEL divergent_mask(Out out, In in) {
  const int rank = rank_of_thread();
  const bool low = device::lane() < 16;
  const uint32_t own = low ? 0x0000FFFFu : 0xFFFF0000u;
  const uint32_t mask = kVersion == Version::kRight || low ? own : device::kAllLanes;
  out.store(rank, device::shuffle_xor(in.load(rank), 1, mask));
}

template <Version kVersion>
YOLOCU_KERNEL divergent_shuffle(Out out, In in) {
  const int rank = rank_of_thread();
  int value = in.load(rank);
  if (kVersion == Version::kRight || device::lane() < 16) {
    value = device::shuffle(value, 0);
  } else {
    value = device::shuffle_up(value, 1);
  }
  out.store(rank, value);
}

template <Version kVersion>
YOLOCU_KERNEL shuffle_from_outside_mask(Out out, In in) {
  const int rank = rank_of_thread();
  if (device::lane() >= 16) return;
  const uint32_t source = kVersion == Version::kRight ? 3 : 20;
  out.store(rank, device::shuffle(in.load(rank), source, 0x0000FFFFu));
}

// Lanes that exited take no part in a call, and cannot be read; the others do not wait for them.
template <Version kVersion>
YOLOCU_KERNEL shuffle_from_exited_lane(Out out, In in) {
  const int rank = rank_of_thread();
  if (device::lane() == 31) return;
  device::sync_warp();
  const int any = device::any_lane(in.load(rank) > 3 ? 1 : 0);
  out.store(rank, any + device::shuffle(rank, kVersion == Version::kRight ? 30 : 31));
}

inline std::vector<PlantedBug> warp_call_bugs() {
  return {
      PLANTED(divergent_mask, "divergent warp call"),
      PLANTED(divergent_shuffle, "divergent warp call"),
      PLANTED(shuffle_from_outside_mask, "which takes no part"),
      PLANTED(shuffle_from_exited_lane, "which takes no part"),
  };
}

}  // namespace yolocu::testing
