// Programmatic dependent launches, and what depends on the emulated device.
#include "kernels/device/dependent_launch.h"

#include "tests/kernels/emulation/sync_kernels.h"

namespace yolocu {
namespace {

using emulation::EmulatedDevice;
using testing::expect_refused;
using testing::filled_buffer;
using testing::for_each_order;
using testing::Ints;
using testing::make_buffer;

constexpr StartRule kOverlap = StartRule::kOverlapPrevious;

// y[i] = x[i] + w[i] once the grids before are over; w is nobody's output.
YOLOCU_KERNEL add_weights(Ints y, Ints x, Ints w) {
  const int64_t i = device::block_index().x * device::thread_count() + device::thread_rank();
  device::allow_next_grid();
  const int weight = w.load(i);
  device::wait_for_prior_grids();
  y.store(i, x.load(i) + weight);
}

// Three buffers in a ring, so that the third kernel overwrites what the first has read.
TEST(DependentLaunch, AChainOfThreeWithAWaitInEach) {
  for_each_order(10, [](EmulatedDevice& device) {
    std::vector<emulation::EmulatedBuffer<int>> x;
    for (const char* name : {"x0", "x1"}) {
      x.push_back(filled_buffer(device, testing::count_up<int>(128, 0), name));
    }
    auto w = filled_buffer(device, std::vector<int>(128, 10), "w");
    for (const size_t step : {0u, 1u, 2u}) {
      const LaunchConfig config = {
          .grid = {2}, .block = {64}, .start = step == 0 ? StartRule::kAfterPrevious : kOverlap};
      ASSERT_OK(device.launch(named_kernel("add_weights", add_weights), config,
                              Ints(x[(step + 1) % 2].data()), Ints(x[step % 2].data()),
                              Ints(w.data())));
    }
    EXPECT_EQ(x[1].download().value(), testing::count_up<int>(128, 30));
  });
}

// Warp 0 waits and loads, the others are ordered behind it by a barrier.
YOLOCU_KERNEL wait_in_one_warp(Ints y, Ints x, Ints) {
  const auto staged = device::shared_memory<int>();
  const uint32_t rank = device::thread_rank();
  const int64_t first = device::block_index().x * device::thread_count();
  if (rank < 32) {
    device::wait_for_prior_grids();
    staged.store(rank, x.load(first + rank));
    staged.store(rank + 32, x.load(first + rank + 32));
  }
  device::sync_block();
  y.store(first + rank, staged.load(rank) + x.load(first + rank));
}

TEST(DependentLaunch, AWaitCountsForThoseBehindABarrier) {
  for_each_order(10, [](EmulatedDevice& device) {
    auto x = filled_buffer(device, testing::count_up<int>(128, 0), "x");
    auto y = make_buffer<int>(device, 128, "y");
    auto w = filled_buffer(device, std::vector<int>(128, 1), "w");
    ASSERT_OK(device.launch(named_kernel("add_weights", add_weights), {.grid = {2}, .block = {64}},
                            Ints(y.data()), Ints(x.data()), Ints(w.data())));
    ASSERT_OK(device.launch(named_kernel("wait_in_one_warp", wait_in_one_warp),
                            {.grid = {2}, .block = {64}, .shared_bytes = 256, .start = kOverlap},
                            Ints(x.data()), Ints(y.data()), Ints(w.data())));
    const auto result = x.download().value();
    for (int i = 0; i < 128; ++i) EXPECT_EQ(result[static_cast<size_t>(i)], 2 * (i + 1));
  });
}

YOLOCU_KERNEL increment(Ints x, Ints, Ints) {
  x.store(device::thread_rank(), x.load(device::thread_rank()) + 1);
}

// The second kernel does not touch what the first does; the third waits, but only for the second.
TEST(DependentLaunch, ReachesBackToTheStartOfTheChain) {
  EmulatedDevice device;
  auto x = filled_buffer(device, std::vector<int>(64), "x");
  auto y = filled_buffer(device, std::vector<int>(64), "y");
  const auto launch = [&](const char* name, void (*kernel)(Ints, Ints, Ints), StartRule start,
                          Ints first) {
    return device.launch(named_kernel(name, kernel), {.block = {64}, .start = start}, first,
                         Ints(y.data()), Ints(y.data()));
  };
  ASSERT_OK(launch("first", increment, StartRule::kAfterPrevious, Ints(x.data())));
  const Status second = launch("second", increment, kOverlap, Ints(y.data()));
  EXPECT_NE(second.message().find("no thread of it called wait_for_prior_grids"), std::string::npos)
      << second.message();
  const Status third = launch("third", increment, kOverlap, Ints(x.data()));
  EXPECT_NE(third.message().find("before wait_for_prior_grids"), std::string::npos)
      << third.message();
  EXPECT_NE(third.message().find("by kernel first"), std::string::npos) << third.message();
  ASSERT_OK(launch("fourth", increment, StartRule::kAfterPrevious, Ints(x.data())));
}

TEST(DependentLaunch, IsAnOrdinaryOneWithoutTheStartRule) {
  EmulatedDevice device;
  auto x = filled_buffer(device, std::vector<int>(64), "x");
  auto w = filled_buffer(device, std::vector<int>(64), "w");
  auto y = make_buffer<int>(device, 64, "y");
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK(device.launch(named_kernel("add_weights", add_weights), {.block = {64}},
                            Ints(y.data()), Ints(x.data()), Ints(w.data())));
  }
}

TEST(EmulatedDeviceLimits, FollowTheComputeCapability) {
  EmulatedDevice device({.compute_capability = 86});
  auto x = filled_buffer(device, std::vector<int>(64), "x");
  const auto launch = [&](const LaunchConfig& config) {
    return device.launch(named_kernel("increment", increment), config, Ints(x.data()), Ints(),
                         Ints());
  };
  ASSERT_OK(launch({.block = {64}, .shared_bytes = 99 * 1024}));
  expect_refused(
      launch({.block = {64}, .shared_bytes = 99 * 1024 + 4}), StatusCode::kInvalidArgument,
      "kernel increment: expected at most 101376 bytes of shared memory, got 101380, and "
      "the emulated device is sm_86");
  expect_refused(launch({.grid = {2}, .block = {64}, .cluster = {2}}), StatusCode::kUnsupported,
                 "clusters need sm_90");
  // Waits for nothing, and need not: nothing starts early before sm_90.
  ASSERT_OK(launch({.block = {64}, .start = kOverlap}));
  device.options().compute_capability = 80;
  ASSERT_OK(launch({.block = {64}, .shared_bytes = 163 * 1024}));
  EXPECT_FALSE(launch({.block = {64}, .shared_bytes = 164 * 1024}).ok());
  device.options().compute_capability = 120;
  EXPECT_FALSE(launch({.block = {64}, .shared_bytes = 100 * 1024}).ok());
  device.options() = {};
  ASSERT_OK(launch({.block = {64}, .shared_bytes = 227 * 1024}));
}

}  // namespace
}  // namespace yolocu
