// Errors at barriers of a block, and what they let happen in shared memory.
#pragma once

#include "tests/kernels/emulation/planted/registry.h"

namespace yolocu::testing {

// Reads what the opposite thread wrote.
template <Version kVersion>
YOLOCU_KERNEL missing_block_barrier(Out out, In in) {
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  words.store(rank, in.load(rank));
  if constexpr (kVersion == Version::kRight) device::sync_block();
  out.store(rank, words.load(127 - rank));
}

// The second round overwrites what others still read.
template <Version kVersion>
YOLOCU_KERNEL write_after_read(Out out, In in) {
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  int sum = 0;
  for (int round = 0; round < 2; ++round) {
    words.store(rank, in.load(rank) + round);
    device::sync_block();
    sum += words.load(127 - rank);
    if constexpr (kVersion == Version::kRight) device::sync_block();
  }
  out.store(rank, sum);
}

// One thread reads a word, one of another warp overwrites it: whichever comes first.
template <Version kVersion>
YOLOCU_KERNEL overwrite_of_one_word(Out out, In in) {
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  words.store(rank, in.load(rank));
  device::sync_block();
  if (rank == 0) out.store(0, words.load(5));
  if constexpr (kVersion == Version::kRight) device::sync_block();
  if (rank == 64) words.store(5, 1);
}

// Two warps count in the same words.
template <Version kVersion>
YOLOCU_KERNEL race_between_warps(Out out, In in) {
  const auto counts = device::shared_memory<int>();
  const int rank = rank_of_thread();
  if (rank < 32) counts.store(rank, 0);
  device::sync_block();
  if constexpr (kVersion == Version::kRight) {
    device::atomic_add(counts, in.load(rank) % 32, 1);
  } else {
    counts.store(rank % 32, counts.load(rank % 32) + 1);
  }
  device::sync_block();
  out.store(rank, counts.load(rank % 32));
}

template <Version kVersion>
YOLOCU_KERNEL missing_sync_warp(Out out, In in) {
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  words.store(rank, in.load(rank));
  if constexpr (kVersion == Version::kRight) device::sync_warp();
  out.store(rank, words.load(rank ^ 1));
}

// A shuffle exchanges values; it does not order memory.
template <Version kVersion>
YOLOCU_KERNEL shuffle_instead_of_sync_warp(Out out, In in) {
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  words.store(rank, in.load(rank));
  if constexpr (kVersion == Version::kRight) device::sync_warp();
  const int other = device::shuffle_xor(rank, 1);
  out.store(rank, words.load(other));
}

template <Version kVersion>
YOLOCU_KERNEL divergent_barrier(Out out, In in) {
  const int rank = rank_of_thread();
  int value = in.load(rank);
  if constexpr (kVersion == Version::kRight) {
    device::sync_block();
  } else if (rank < 64) {
    device::sync_block();
    ++value;
  } else {
    device::sync_block();
  }
  out.store(rank, value);
}

// A warp leaves early; the others wait for it.
template <Version kVersion>
YOLOCU_KERNEL barrier_with_exited_warp(Out out, In in) {
  const int rank = rank_of_thread();
  if (kVersion == Version::kWrong && rank >= 96) return;
  device::sync_block();
  out.store(rank, in.load(rank));
}

template <Version kVersion>
YOLOCU_KERNEL named_barrier_short(Out out, In in) {
  const int rank = rank_of_thread();
  constexpr int kThreads = kVersion == Version::kRight ? 64 : 96;
  if (rank < 64) device::sync_barrier(1, kThreads);
  out.store(rank, in.load(rank));
}

template <Version kVersion>
YOLOCU_KERNEL barrier_counts_differ(Out out, In in) {
  const int rank = rank_of_thread();
  if (rank < 64) device::sync_barrier(1, kVersion == Version::kRight || rank < 32 ? 64 : 96);
  out.store(rank, in.load(rank));
}

// The lower half of each of four warps comes: the right number of threads, the wrong ones.
template <Version kVersion>
YOLOCU_KERNEL half_warps_at_barrier(Out out, In in) {
  const int rank = rank_of_thread();
  const bool comes = kVersion == Version::kRight ? rank < 64 : rank % 32 < 16;
  if (comes) device::sync_barrier(2, 64);
  out.store(rank, in.load(rank));
}

// What a producer writes after it arrived is not handed over.
template <Version kVersion>
YOLOCU_KERNEL store_after_arrive(Out out, In in) {
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  if (rank < 64) {
    if constexpr (kVersion == Version::kRight) words.store(rank, in.load(rank));
    device::arrive_barrier(3, 128);
    if constexpr (kVersion == Version::kWrong) words.store(rank, in.load(rank));
  } else {
    device::sync_barrier(3, 128);
    out.store(rank, words.load(rank - 64));
  }
}

inline std::vector<PlantedBug> barrier_bugs() {
  return {
      PLANTED(missing_block_barrier, "uninitialised shared", "race: "),
      PLANTED(write_after_read, "race: "),
      PLANTED(overwrite_of_one_word, "race: "),
      PLANTED(race_between_warps, "race: "),
      PLANTED(missing_sync_warp, "uninitialised shared", "race: "),
      PLANTED(shuffle_instead_of_sync_warp, "race: "),
      PLANTED(divergent_barrier, "divergent barrier"),
      PLANTED(barrier_with_exited_warp, "deadlock"),
      PLANTED(named_barrier_short, "deadlock"),
      PLANTED(barrier_counts_differ, "barrier 1 waits for"),
      PLANTED(half_warps_at_barrier, "divergent barrier: only 16 lanes"),
      PLANTED(store_after_arrive, "uninitialised shared", "race: "),
  };
}

}  // namespace yolocu::testing
