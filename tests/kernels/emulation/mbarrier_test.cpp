// mbarrier phase by phase, and the barrier of a cluster with memory of its other blocks.
#include "kernels/device/mbarrier.h"

#include "kernels/device/cluster.h"
#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu::testing {
namespace {

using device::GlobalPtr;
using device::MBarrier;
using emulation::EmulatedDevice;

MBarrier barrier_at(int64_t offset) {
  return device::shared_memory<uint64_t>(offset);
}

// One thread makes `count` objects from offset 0 on; all others know them after.
void make_barriers(int count, int arrivals) {
  if (device::thread_rank() == 0) {
    for (int i = 0; i < count; ++i) device::mbarrier_init(barrier_at(8 * i), arrivals);
    device::fence_mbarrier_init();
  }
  device::sync_block();
}

// out [n]: what mbarrier_test says at each step, by one thread.
YOLOCU_KERNEL test_phases(GlobalPtr<int> out) {
  const MBarrier barrier = barrier_at(0);
  device::mbarrier_init(barrier, 2);
  int at = 0;
  const auto test_both = [&] {
    out.store(at++, device::mbarrier_test(barrier, 0));
    out.store(at++, device::mbarrier_test(barrier, 1));
  };
  test_both();  // fresh: the phase before the first is complete
  device::mbarrier_arrive(barrier);
  test_both();  // one of two arrivals
  device::mbarrier_arrive(barrier);
  test_both();  // phase 0 is complete
  device::mbarrier_arrive(barrier);
  device::mbarrier_arrive(barrier);
  test_both();  // phase 1 too: the count came back
  device::mbarrier_invalidate(barrier);
  device::mbarrier_init(barrier, 1);
  test_both();
  device::mbarrier_arrive(barrier);
  test_both();
}

TEST(MBarrier, TestNamesPhasesByParity) {
  EmulatedDevice device;
  auto out = make_buffer<int>(device, 12, "out");
  ASSERT_OK(device.launch(named_kernel("test_phases", test_phases),
                          {.block = {1}, .shared_bytes = 8}, GlobalPtr(out.data())));
  EXPECT_EQ(out.download().value(), (std::vector<int>{0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0}));
  EXPECT_EQ(device.counters().mbarrier_phases, 3);
}

// Bytes that are expected keep a phase open though all arrivals came.
YOLOCU_KERNEL expect_without_bytes(GlobalPtr<int> out) {
  const MBarrier barrier = barrier_at(0);
  device::mbarrier_init(barrier, 1);
  device::mbarrier_arrive_expect(barrier, 16);
  out.store(0, device::mbarrier_test(barrier, 0));
}

TEST(MBarrier, ExpectedBytesKeepAPhaseOpen) {
  EmulatedDevice device;
  auto out = make_buffer<int>(device, 1, "out");
  ASSERT_OK(device.launch(named_kernel("expect_without_bytes", expect_without_bytes),
                          {.block = {1}, .shared_bytes = 8}, GlobalPtr(out.data())));
  EXPECT_EQ(out.download().value()[0], 0);
}

// The largest count is taken: 2^20 - 1 arrivals; checked by init alone, and by a few arrivals.
YOLOCU_KERNEL largest_count(GlobalPtr<int> out) {
  device::mbarrier_init(barrier_at(0), (1 << 20) - 1);
  device::mbarrier_arrive(barrier_at(0));
  device::mbarrier_expect(barrier_at(0), (1 << 20) - 1);
  out.store(0, device::mbarrier_test(barrier_at(0), 0));
}

TEST(MBarrier, LargestCounts) {
  EmulatedDevice device;
  auto out = make_buffer<int>(device, 1, "out");
  ASSERT_OK(device.launch(named_kernel("largest_count", largest_count),
                          {.block = {1}, .shared_bytes = 8}, GlobalPtr(out.data())));
  EXPECT_EQ(out.download().value()[0], 0);
}

// A ring of kStages words a thread: 64 producers, 32 consumers; full at 0.., empty behind.
constexpr int kStages = 3;

YOLOCU_KERNEL ring_of_words(GlobalPtr<int> out, int rounds) {
  const auto rank = static_cast<int>(device::thread_rank());
  const auto words = device::shared_memory<int>(16 * kStages);  // [kStages, 64]
  if (rank == 0) {
    for (int i = 0; i < kStages; ++i) {
      device::mbarrier_init(barrier_at(16 * i), 64);
      device::mbarrier_init(barrier_at(16 * i + 8), 32);
    }
    device::fence_mbarrier_init();
  }
  device::sync_block();
  int sum = 0;
  for (int round = 0; round < rounds; ++round) {
    const int stage = round % kStages;
    const auto parity = static_cast<uint32_t>(round / kStages % 2);
    const MBarrier full = barrier_at(16 * stage), empty = barrier_at(16 * stage + 8);
    if (rank < 64) {
      device::mbarrier_wait(empty, parity ^ 1);  // the first round passes: the object is fresh
      words.store(stage * 64 + rank, round * 64 + rank);
      device::mbarrier_arrive(full);
    } else {
      device::mbarrier_wait(full, parity);
      for (int i = 0; i < 64; ++i) sum += words.load(stage * 64 + i);
      device::mbarrier_arrive(empty);
    }
  }
  if (rank >= 64) out.store(rank - 64, sum);
}

TEST(MBarrier, CarriesARing) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    EmulatedDevice device({.seed = seed});
    auto out = make_buffer<int>(device, 32, "out");
    ASSERT_OK(device.launch(named_kernel("ring_of_words", ring_of_words),
                            {.block = {96}, .shared_bytes = 48 + kStages * 256},
                            GlobalPtr(out.data()), 8));
    EXPECT_EQ(out.download().value(), std::vector<int>(32, 512 * 511 / 2));
    EXPECT_EQ(device.counters().mbarrier_phases, 16);
  }
}

// A loop around mbarrier_test gives way to those it waits for.
YOLOCU_KERNEL spin_on_test(GlobalPtr<int> out) {
  make_barriers(1, 1);
  const auto word = device::shared_memory<int>(8);
  if (device::thread_rank() == 0) {
    word.store(0, 41);
    device::mbarrier_arrive(barrier_at(0));
    return;
  }
  int tests = 1;
  while (device::mbarrier_test(barrier_at(0), 0) == 0) ++tests;
  out.store(static_cast<int>(device::thread_rank()), word.load(0) + (tests > 0 ? 1 : 0));
}

TEST(MBarrier, TestsInALoop) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EmulatedDevice device({.seed = seed});
    auto out = filled_buffer<int>(device, std::vector<int>(64, 42), "out");
    ASSERT_OK(device.launch(named_kernel("spin_on_test", spin_on_test),
                            {.block = {64}, .shared_bytes = 16}, GlobalPtr(out.data())));
    EXPECT_EQ(out.download().value(), std::vector<int>(64, 42));
  }
}

// ---- clusters -----------------------------------------------------------------------------------

constexpr int kBlocks = 4;

// out[block * 64 + thread] = rank and index in the cluster, extent, and what the next block stored.
YOLOCU_KERNEL exchange_with_next(GlobalPtr<int> out) {
  const auto rank = static_cast<int>(device::cluster_block_rank());
  const auto thread = static_cast<int>(device::thread_rank());
  const auto words = device::shared_memory<int>();  // [64] own, [64] from the block before
  const auto next = static_cast<uint32_t>((rank + 1) % kBlocks);
  words.store(thread, 1000 * rank + thread);
  device::sync_cluster();
  const device::RemoteSharedPtr<int> remote(words, next);
  const int read = remote.load(63 - thread);
  remote.store(64 + thread, read + 1);
  device::arrive_cluster();
  const Index3 index = device::cluster_block_index(), extent = device::cluster_extent();
  const auto shape = static_cast<int>(index.x + 10 * index.y + 100 * extent.x + 1000 * extent.y);
  device::wait_cluster();
  const int64_t block = device::block_index().y * 4 + device::block_index().x;
  out.store((block * 64 + thread) * 3, read);
  out.store((block * 64 + thread) * 3 + 1, words.load(64 + thread));
  out.store((block * 64 + thread) * 3 + 2, shape);
}

TEST(Clusters, ExchangeThroughSharedMemory) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EmulatedDevice device({.seed = seed, .workers = 2});
    auto out = make_buffer<int>(device, int64_t{16} * 64 * 3, "out");
    ASSERT_OK(device.launch(named_kernel("exchange_with_next", exchange_with_next),
                            {.grid = {4, 4}, .block = {64}, .cluster = {2, 2}, .shared_bytes = 512},
                            GlobalPtr(out.data())));
    const auto result = out.download().value();
    for (int y = 0; y < 4; ++y) {
      for (int x = 0; x < 4; ++x) {
        const int rank = y % 2 * 2 + x % 2;
        for (int thread = 0; thread < 64; ++thread) {
          const auto at = static_cast<size_t>(((y * 4 + x) * 64 + thread) * 3);
          EXPECT_EQ(result[at], 1000 * ((rank + 1) % kBlocks) + 63 - thread);
          EXPECT_EQ(result[at + 1], 1000 * rank + 63 - thread + 1);
          EXPECT_EQ(result[at + 2], x % 2 + 10 * (y % 2) + 200 + 2000);
        }
      }
    }
    EXPECT_EQ(device.counters().cluster_barriers, 8);
  }
}

// Each block's object gets one arrival of each thread of the block before it.
YOLOCU_KERNEL arrive_at_next(GlobalPtr<int> out) {
  make_barriers(1, 64);
  const auto word = device::shared_memory<int>(8);
  device::sync_cluster();
  const uint32_t next = (device::cluster_block_rank() + 1) % 2;
  if (device::thread_rank() == 5) device::RemoteSharedPtr<int>(word, next).store(0, 7);
  device::mbarrier_arrive_remote(barrier_at(0), next);
  device::mbarrier_wait_cluster(barrier_at(0), 0);
  out.store(device::block_index().x * 64 + device::thread_rank(), word.load(0));
  device::sync_cluster();
}

TEST(Clusters, RemoteArrivals) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EmulatedDevice device({.seed = seed});
    auto out = make_buffer<int>(device, 128, "out");
    ASSERT_OK(device.launch(named_kernel("arrive_at_next", arrive_at_next),
                            {.grid = {2}, .block = {64}, .cluster = {2}, .shared_bytes = 16},
                            GlobalPtr(out.data())));
    EXPECT_EQ(out.download().value(), std::vector<int>(128, 7));
  }
}

// Without LaunchConfig::cluster a block is its own cluster.
YOLOCU_KERNEL alone(GlobalPtr<int> out) {
  device::sync_cluster();
  out.store(device::block_index().x,
            static_cast<int>(device::cluster_block_rank() + 10 * device::cluster_block_count()));
}

TEST(Clusters, OfOneBlock) {
  EmulatedDevice device;
  auto out = make_buffer<int>(device, 3, "out");
  ASSERT_OK(device.launch(named_kernel("alone", alone), {.grid = {3}, .block = {1}},
                          GlobalPtr(out.data())));
  EXPECT_EQ(out.download().value(), std::vector<int>(3, 10));
}

}  // namespace
}  // namespace yolocu::testing
