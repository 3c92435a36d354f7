// Errors around cp.async.
#pragma once

#include "tests/kernels/emulation/planted/registry.h"

namespace yolocu::testing {

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

inline std::vector<PlantedBug> async_bugs() {
  return {
      PLANTED_CASE(async_copy, Async::kNoWait, "in flight"),
      PLANTED_CASE(async_copy, Async::kNoCommit, "in flight"),
      PLANTED_CASE(async_copy, Async::kPendingTooMany, "in flight"),
      PLANTED_CASE(async_copy, Async::kNoBarrier, "uninitialised shared", "race: ", "in flight"),
      PLANTED_CASE(async_copy, Async::kNeverWaited, "never waited for"),
      PLANTED(async_misaligned_source, "misaligned asynchronous copy"),
  };
}

}  // namespace yolocu::testing
