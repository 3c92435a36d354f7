// Indices, the grid, barriers, and launches as a whole.
#include <set>
#include <tuple>

#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu {
namespace {

using device::GlobalPtr;
using emulation::EmulatedDevice;
using emulation::EmulationOptions;
using testing::make_buffer;

// out[block][thread][6] = indices of the thread.
YOLOCU_KERNEL write_indices(GlobalPtr<uint32_t> out) {
  const Index3 t = device::thread_index(), b = device::block_index();
  const Index3 extent = device::block_extent(), grid = device::grid_extent();
  const int64_t block = (int64_t{b.z} * grid.y + b.y) * grid.x + b.x;
  const int64_t thread = (int64_t{t.z} * extent.y + t.y) * extent.x + t.x;
  const int64_t row = (block * device::thread_count() + thread) * 6;
  out.store(row, b.x * 10000 + b.y * 100 + b.z);
  out.store(row + 1, t.x * 10000 + t.y * 100 + t.z);
  out.store(row + 2, device::thread_rank());
  out.store(row + 3, device::warp_rank());
  out.store(row + 4, device::lane());
  out.store(row + 5, grid.x * 10000 + grid.y * 100 + grid.z);
}

TEST(EmulatedThreads, EveryThreadOfTheGridRunsOnceWithItsIndices) {
  EmulatedDevice device({.seed = 5, .workers = 2});
  constexpr uint32_t kGrid[] = {3, 2, 2}, kBlock[] = {5, 4, 3};
  auto out = make_buffer<uint32_t>(device, 12 * 60 * 6, "out");
  ASSERT_OK(device.launch(named_kernel("write_indices", write_indices),
                          {.grid = {3, 2, 2}, .block = {5, 4, 3}}, GlobalPtr(out.data())));
  const auto result = out.download().value();
  size_t row = 0;
  for (uint32_t block = 0; block < 12; ++block) {
    for (uint32_t thread = 0; thread < 60; ++thread, row += 6) {
      EXPECT_EQ(result[row], block % kGrid[0] * 10000 + block / kGrid[0] % kGrid[1] * 100 +
                                 block / kGrid[0] / kGrid[1]);
      EXPECT_EQ(result[row + 1], thread % kBlock[0] * 10000 + thread / kBlock[0] % kBlock[1] * 100 +
                                     thread / kBlock[0] / kBlock[1]);
      EXPECT_EQ(result[row + 2], thread);
      EXPECT_EQ(result[row + 3], thread / 32);
      EXPECT_EQ(result[row + 4], thread % 32);
      EXPECT_EQ(result[row + 5], 30202u);
    }
  }
}

YOLOCU_KERNEL count_multiples(GlobalPtr<int> out) {
  const auto rank = static_cast<int>(device::thread_rank());
  for (int divisor = 1; divisor <= 4; ++divisor) {
    const int count = device::sync_block_count(rank % divisor == 0 ? divisor : 0);
    if (rank == 7) out.store(divisor - 1, count);
  }
}

TEST(EmulatedThreads, BarrierCountsPredicates) {
  EmulatedDevice device;
  auto out = make_buffer<int>(device, 4, "out");
  ASSERT_OK(device.launch(named_kernel("count_multiples", count_multiples), {.block = {70}},
                          GlobalPtr(out.data())));
  EXPECT_EQ(out.download().value(), (std::vector<int>{70, 35, 24, 18}));
  EXPECT_EQ(device.counters().block_barriers, 4);
}

// Warps 0 and 1 fill a buffer of two stages, warp 2 adds it up: full is barrier 1 + stage, empty 3
// + stage.
YOLOCU_KERNEL pipeline(GlobalPtr<int> out, int rounds) {
  const auto stages = device::shared_memory<int>();
  const uint32_t rank = device::thread_rank();
  int sum = 0;
  for (int round = 0; round < rounds; ++round) {
    const int stage = round % 2;
    if (rank < 64) {
      if (round >= 2) device::sync_barrier(3 + stage, 96);
      stages.store(stage * 64 + rank, round * 64 + static_cast<int>(rank));
      device::arrive_barrier(1 + stage, 96);
    } else {
      device::sync_barrier(1 + stage, 96);
      for (int i = 0; i < 64; ++i) sum += stages.load(stage * 64 + i);
      if (round + 2 < rounds) device::arrive_barrier(3 + stage, 96);
    }
  }
  if (rank >= 64) out.store(rank - 64, sum);
}

TEST(EmulatedThreads, NamedBarriersCarryAPipeline) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EmulatedDevice device({.seed = seed});
    auto out = make_buffer<int>(device, 32, "out");
    ASSERT_OK(device.launch(named_kernel("pipeline", pipeline),
                            {.block = {96}, .shared_bytes = 512}, GlobalPtr(out.data()), 5));
    EXPECT_EQ(out.download().value(), std::vector<int>(32, 320 * 319 / 2));
  }
}

// order[i] = the i-th thread of the whole grid to get there.
YOLOCU_KERNEL record_order(GlobalPtr<uint32_t> next, GlobalPtr<uint32_t> order) {
  const uint32_t turn = device::atomic_add(next, 0, 1);
  order.store(turn, device::block_index().x * 64 + device::thread_rank());
}

std::vector<uint32_t> order_of(uint64_t seed) {
  EmulatedDevice device({.seed = seed});
  auto next = testing::filled_buffer<uint32_t>(device, {0}, "next");
  auto order = make_buffer<uint32_t>(device, 8 * 64, "order");
  const Status status =
      device.launch(named_kernel("record_order", record_order), {.grid = {8}, .block = {64}},
                    GlobalPtr(next.data()), GlobalPtr(order.data()));
  EXPECT_TRUE(status.ok()) << status.message();
  return order.download().value();
}

TEST(EmulatedLaunch, TheSeedDrawsTheOrder) {
  std::set<std::vector<uint32_t>> orders;
  std::set<uint32_t> first_blocks;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const auto order = order_of(seed);
    EXPECT_EQ(std::set<uint32_t>(order.begin(), order.end()).size(), order.size());
    EXPECT_EQ(order, order_of(seed)) << "seed " << seed << " must repeat";
    orders.insert(order);
    first_blocks.insert(order[0] / 64);
  }
  EXPECT_GT(orders.size(), 18u);
  EXPECT_GT(first_blocks.size(), 3u);
}

YOLOCU_KERNEL throw_in_thread_33(GlobalPtr<int>) {
  const std::vector<int> heap(100, 1);  // lost if the stacks were dropped
  if (device::thread_rank() == 33) throw std::runtime_error("on purpose");
  device::sync_block();
}

TEST(EmulatedLaunch, ErrorsUnwindEveryThreadAndTheDeviceGoesOn) {
  EmulatedDevice device;
  const Status status =
      device.launch(named_kernel("throws", throw_in_thread_33), {.block = {64}}, GlobalPtr<int>());
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("kernel throws, block (0,0,0), thread (33,0,0)"),
            std::string::npos)
      << status.message();
  EXPECT_NE(status.message().find("on purpose"), std::string::npos);
  auto out = make_buffer<int>(device, 4, "out");
  ASSERT_OK(device.launch(named_kernel("count_multiples", count_multiples), {.block = {70}},
                          GlobalPtr(out.data())));
}

TEST(EmulatedLaunch, RefusesWhatCudaRefuses) {
  EmulatedDevice device;
  const Status status = device.launch(named_kernel("count_multiples", count_multiples),
                                      {.block = {2000}}, GlobalPtr<int>());
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("count_multiples"), std::string::npos);
}

TEST(EmulatedMemory, IsCheckedOnTheHostSideToo) {
  EmulatedDevice device;
  auto buffer = make_buffer<int>(device, 3, "three");
  EXPECT_EQ(buffer.upload(std::vector<int>(4)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(buffer.download().value(), (std::vector<int>{-1, -1, -1}));
  EXPECT_EQ(device.memory().allocate(-1, "negative").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(device.memory().release(buffer.data() + 1).code(), StatusCode::kInvalidArgument);
  void* twice = device.memory().allocate(16, "twice").value();
  EXPECT_TRUE(device.memory().release(twice).ok());
  EXPECT_EQ(device.memory().release(twice).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace yolocu
