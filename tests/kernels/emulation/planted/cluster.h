// Errors between the blocks of a cluster: two blocks of 64 threads.
#pragma once

#include "kernels/device/cluster.h"
#include "tests/kernels/emulation/planted/mbarrier.h"

namespace yolocu::testing {

inline int out_index() {
  return static_cast<int>(device::block_index().x) * 64 + rank_of_thread();
}

enum class Remote {
  kNoFirstSync,
  kBlockSyncFirst,
  kNoLastSync,
  kNoSyncBetween,
  kNoSuchBlock,
  kOutOfBounds
};

// Each thread leaves a word in the other block, and reads the word that it got.
template <Version kVersion, Remote kError>
YOLOCU_KERNEL exchange_in_cluster(Out out, In in) {
  const auto is = [](Remote error) { return kVersion == Version::kWrong && kError == error; };
  const int rank = rank_of_thread();
  const auto words = device::shared_memory<int>(768);  // [64], to the end
  const uint32_t other = is(Remote::kNoSuchBlock) ? 2 : 1 - device::cluster_block_rank();
  const device::RemoteSharedPtr<int> remote(words + (is(Remote::kOutOfBounds) ? 1 : 0), other);
  words.store(rank, 0);
  if (is(Remote::kBlockSyncFirst)) {
    device::sync_block();
  } else if (!is(Remote::kNoFirstSync)) {
    device::sync_cluster();
  }
  remote.store(rank, in.load(rank));
  if (!is(Remote::kNoSyncBetween)) device::sync_cluster();
  const int got = words.load(rank);
  const int sent = kError == Remote::kNoLastSync ? remote.load(rank) : got;
  if (!is(Remote::kNoLastSync)) device::sync_cluster();
  out.store(out_index(), got + sent);
}

enum class ClusterBarrierError { kArriveTwice, kWaitOnly, kOneBlock, kOneThreadShort };

template <Version kVersion, ClusterBarrierError kError>
YOLOCU_KERNEL barrier_of_cluster(Out out, In in) {
  using Error = ClusterBarrierError;
  const auto is = [](Error error) { return kVersion == Version::kWrong && kError == error; };
  const int value = in.load(rank_of_thread());
  if (is(Error::kOneBlock) && device::cluster_block_rank() == 1) return;
  if (is(Error::kOneThreadShort) && device::cluster_block_rank() + rank_of_thread() == 64) return;
  if (!is(Error::kWaitOnly)) device::arrive_cluster();
  if (is(Error::kArriveTwice)) device::arrive_cluster();
  device::wait_cluster();
  out.store(out_index(), value);
}

enum class RemoteArrival { kNoInitFence, kNoFirstSync, kNoWait, kUnobservedAtExit };

// Each thread of a block arrives at the object of the other.
template <Version kVersion, RemoteArrival kError>
YOLOCU_KERNEL arrive_in_cluster(Out out, In in) {
  using Error = RemoteArrival;
  const auto is = [](Error error) { return kVersion == Version::kWrong && kError == error; };
  const auto barrier = mbarrier_number(0);
  const int rank = rank_of_thread();
  const uint32_t other = 1 - device::cluster_block_rank();
  const device::RemoteSharedPtr<int> remote(words_behind_mbarriers(), other);
  if (rank == 0) {
    device::mbarrier_init(barrier, 64);
    if (!is(Error::kNoInitFence)) device::fence_mbarrier_init();
  }
  if (is(Error::kNoFirstSync)) {
    device::sync_block();
  } else {
    device::sync_cluster();
  }
  if (kError != Error::kUnobservedAtExit) remote.store(rank, in.load(rank));
  device::mbarrier_arrive_remote(barrier, other);
  if (is(Error::kUnobservedAtExit)) return;
  if (!is(Error::kNoWait)) device::mbarrier_wait_cluster(barrier, 0);
  if (kError != Error::kUnobservedAtExit) {
    out.store(out_index(), words_behind_mbarriers().load(rank));
  }
}

inline std::vector<PlantedBug> cluster_bugs() {
  return launched_as(
      {.grid = {2}, .block = {64}, .cluster = {2}, .shared_bytes = 1024},
      {
          PLANTED_CASE(exchange_in_cluster, Remote::kNoFirstSync, "before any sync_cluster"),
          PLANTED_CASE(exchange_in_cluster, Remote::kBlockSyncFirst, "before any sync_cluster"),
          PLANTED_CASE(exchange_in_cluster, Remote::kNoLastSync, "after it exited",
                       "a sync_cluster is missing"),
          PLANTED_CASE(exchange_in_cluster, Remote::kNoSyncBetween,
                       "race: ", "uninitialised shared"),
          PLANTED_CASE(exchange_in_cluster, Remote::kNoSuchBlock,
                       "expected a block of the cluster"),
          PLANTED_CASE(exchange_in_cluster, Remote::kOutOfBounds, "shared memory out of bounds"),
          PLANTED_CASE(barrier_of_cluster, ClusterBarrierError::kArriveTwice, "a second arrival"),
          PLANTED_CASE(barrier_of_cluster, ClusterBarrierError::kWaitOnly,
                       "without an arrival before"),
          PLANTED_CASE(barrier_of_cluster, ClusterBarrierError::kOneBlock,
                       "wait at the cluster's barrier (64 of 128 came)"),
          PLANTED_CASE(barrier_of_cluster, ClusterBarrierError::kOneThreadShort,
                       "wait at the cluster's barrier (127 of 128 came)"),
          PLANTED_CASE(arrive_in_cluster, RemoteArrival::kNoInitFence,
                       "without fence_mbarrier_init"),
          PLANTED_CASE(arrive_in_cluster, RemoteArrival::kNoFirstSync, "before any sync_cluster"),
          PLANTED_CASE(arrive_in_cluster, RemoteArrival::kNoWait, "race: ", "uninitialised shared"),
          PLANTED_CASE(arrive_in_cluster, RemoteArrival::kUnobservedAtExit, "after it exited",
                       "a sync_cluster is missing"),
      });
}

}  // namespace yolocu::testing
