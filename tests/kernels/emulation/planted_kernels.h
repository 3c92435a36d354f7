// Kernels with one planted error each, and the same kernels without it.
//
// in: 128 int, 0..127. out: 128 int, not initialised. 128 threads, 1024 bytes of shared memory.
#pragma once

#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu::testing {

enum class Version { kWrong, kRight };

using In = device::GlobalPtr<const int>;
using Out = device::GlobalPtr<int>;
using PlantedKernel = void (*)(Out, In);

inline int rank_of_thread() {
  return static_cast<int>(device::thread_rank());
}

// ---- barriers -----------------------------------------------------------------------------------

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

// ---- warp calls ---------------------------------------------------------------------------------

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

template <Version kVersion>
YOLOCU_KERNEL vote_with_exited_lane(Out out, In in) {
  const int rank = rank_of_thread();
  if (kVersion == Version::kWrong && device::lane() == 31) return;
  out.store(rank, device::any_lane(in.load(rank) > 3 ? 1 : 0));
}

// ---- asynchronous copies ------------------------------------------------------------------------

enum class Async { kNoWait, kNoCommit, kPendingTooMany, kNoBarrier, kNeverWaited };

// Each thread copies a word and reads its neighbour's.
template <Version kVersion, Async kError>
YOLOCU_KERNEL async_copy(Out out, In in) {
  constexpr bool kWrong = kVersion == Version::kWrong;
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  device::copy_async<4>(words, rank, in, rank);
  if constexpr (!kWrong || kError != Async::kNoCommit) device::commit_copies();
  if constexpr (kWrong && kError == Async::kPendingTooMany) device::wait_copies<1>();
  if constexpr (!kWrong || kError == Async::kNoCommit || kError == Async::kNoBarrier) {
    device::wait_copies<0>();
  }
  if constexpr (!kWrong || kError != Async::kNoBarrier) device::sync_block();
  if constexpr (kWrong && kError == Async::kNeverWaited) return;
  out.store(rank, words.load(rank ^ 32));
}

template <Version kVersion>
YOLOCU_KERNEL async_misaligned_source(Out out, In in) {
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  constexpr int kStep = kVersion == Version::kRight ? 4 : 1;
  if (rank < 32) device::copy_async<16>(words, rank * 4, in, rank * kStep);
  device::wait_all_copies();
  out.store(rank, rank);
}

// ---- memory -------------------------------------------------------------------------------------

template <Version kVersion>
YOLOCU_KERNEL global_read_out_of_bounds(Out out, In in) {
  const int rank = rank_of_thread();
  out.store(rank, in.load(kVersion == Version::kRight ? rank : rank + 1));
}

template <Version kVersion>
YOLOCU_KERNEL global_write_out_of_bounds(Out out, In in) {
  const int rank = rank_of_thread();
  out.store(kVersion == Version::kRight ? rank : rank - 1, in.load(rank));
}

template <Version kVersion>
YOLOCU_KERNEL misaligned_vector_load(Out out, In in) {
  const int rank = rank_of_thread();
  const int first = kVersion == Version::kRight ? rank / 4 * 4 : rank / 4 * 3;
  out.store(rank, static_cast<int>(in.load<device::Words4>(first).x));
}

template <Version kVersion>
YOLOCU_KERNEL shared_out_of_bounds(Out out, In in) {
  const auto words = device::shared_memory<int>(512);
  const int rank = rank_of_thread();
  const int at = kVersion == Version::kRight ? rank : rank + 1;
  words.store(at, in.load(rank));
  out.store(rank, words.load(at));
}

template <Version kVersion>
YOLOCU_KERNEL misaligned_shared_store(Out out, In in) {
  const auto words = device::shared_memory<int>(kVersion == Version::kRight ? 512 : 510);
  const int rank = rank_of_thread();
  words.store(rank, in.load(rank));
  out.store(rank, words.load(rank));
}

template <Version kVersion>
YOLOCU_KERNEL uninitialised_shared_read(Out out, In in) {
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread();
  if (kVersion == Version::kRight || rank != 77) words.store(rank, in.load(rank));
  out.store(rank, words.load(rank));
}

template <Version kVersion>
YOLOCU_KERNEL uninitialised_global_read(Out out, In in) {
  const int rank = rank_of_thread();
  if constexpr (kVersion == Version::kRight) out.store(rank, in.load(rank));
  out.store(rank, out.load(rank) + 1);
}

}  // namespace yolocu::testing
