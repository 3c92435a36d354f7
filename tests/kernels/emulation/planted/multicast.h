// Errors around TMA loads to several blocks of a cluster.
#pragma once

#include "kernels/device/fence.h"
#include "tests/kernels/emulation/planted/cluster.h"

namespace yolocu::testing {

enum class Multicast {
  kNoFirstSync,
  kNoSuchBlock,
  kNoBlock,
  kNotExpectedThere,
  kNotWaitedThere,
  kOwnReadersOnly
};

// Two rounds of words from block 0 to both; the readers of both release the buffer.
template <Version kVersion, Multicast kError>
YOLOCU_KERNEL multicast_words(Out out, In, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto is = [](Multicast error) { return kVersion == Version::kWrong && kError == error; };
  const auto words = device::shared_memory<int>(1024);
  const auto full = mbarrier_number(0), empty = mbarrier_number(1);
  const int rank = rank_of_thread();
  const bool is_first = device::cluster_block_rank() == 0;
  const bool own_only = is(Multicast::kOwnReadersOnly);
  if (rank == 0) {
    device::mbarrier_init(full, 1);
    device::mbarrier_init(empty, own_only ? 64 : 128);
    device::fence_mbarrier_init();
  }
  if (is(Multicast::kNoFirstSync)) {
    device::sync_block();
  } else {
    device::sync_cluster();
  }
  int sum = 0;
  for (uint32_t round = 0; round < 2; ++round) {
    if (rank == 0) {
      if (is_first) device::mbarrier_wait_cluster(empty, round % 2 ^ 1);
      if (is_first || !is(Multicast::kNotExpectedThere)) {
        device::mbarrier_arrive_expect(full, 512);
      }
      const uint16_t mask = is(Multicast::kNoSuchBlock) ? 5 : is(Multicast::kNoBlock) ? 0 : 3;
      if (is_first) device::load_box_multicast<2>(words, maps.words, full, {{0, 0}}, mask);
    }
    if (is(Multicast::kNotWaitedThere) && !is_first) return;
    device::mbarrier_wait(full, round % 2);
    sum += words.load(rank);
    if (!own_only) {
      device::mbarrier_arrive_remote(empty, 0);
    } else if (is_first) {
      device::mbarrier_arrive(empty);
    }
    if (is(Multicast::kNotWaitedThere)) break;
  }
  out.store(out_index(), sum);
  device::sync_cluster();
}

inline std::vector<PlantedBug> multicast_bugs() {
  return launched_as(
      {.grid = {2}, .block = {64}, .cluster = {2}, .shared_bytes = 2048},
      {
          PLANTED_CASE(multicast_words, Multicast::kNoFirstSync, "before any sync_cluster"),
          PLANTED_CASE(multicast_words, Multicast::kNoSuchBlock, "expected a block of the cluster"),
          PLANTED_CASE(multicast_words, Multicast::kNoBlock, "multicast to no block"),
          PLANTED_CASE(multicast_words, Multicast::kNotExpectedThere, "1 arrivals and -512 bytes"),
          PLANTED_CASE(multicast_words, Multicast::kNotWaitedThere, "after it exited",
                       "bulk load that nobody in it waited for", "a sync_cluster is missing"),
          PLANTED_CASE(multicast_words, Multicast::kOwnReadersOnly, "race: ", "in flight",
                       "wait at the mbarrier"),
      });
}

}  // namespace yolocu::testing
