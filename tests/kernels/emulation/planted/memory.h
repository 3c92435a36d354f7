// Accesses out of bounds, misaligned, or of what was never written.
#pragma once

#include "tests/kernels/emulation/planted/registry.h"

namespace yolocu::testing {

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

inline std::vector<PlantedBug> memory_bugs() {
  return {
      PLANTED(global_read_out_of_bounds,
              "global read out of bounds: 4 bytes at offset 512 of 'in'"),
      PLANTED(global_write_out_of_bounds, "global write out of bounds"),
      PLANTED(misaligned_vector_load, "misaligned global read"),
      PLANTED(shared_out_of_bounds, "shared memory out of bounds"),
      PLANTED(misaligned_shared_store, "misaligned shared access"),
      PLANTED(uninitialised_shared_read, "uninitialised shared memory is read"),
      PLANTED(uninitialised_global_read, "uninitialised memory"),
  };
}

}  // namespace yolocu::testing
