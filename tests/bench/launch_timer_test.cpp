// Timing by events and a graph, on the emulated device: what is launched, not how long it takes.
#include "bench/kernels/launch_timer.h"

#include <gtest/gtest.h>

#include <vector>

#include "bench/kernels/case_memory.h"
#include "kernels/emulation/runtime.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using bench::LaunchTimer;

// The first pooling of a network.
bench::KernelCase pool_case() {
  const auto network = bench::architecture_network("yolov7-tiny");
  const auto cases = bench::kernel_cases(*network, {.size = 32});
  for (const bench::KernelCase& one : *cases) {
    if (one.family == "pool") return one;
  }
  return {};
}

TEST(LaunchTimer, LaunchesEveryCopyInTurn) {
  const bench::KernelCase one = pool_case();
  const auto device = gpu::open_gpu_device(Device::kEmulated, {.launches = LaunchRecords::kKeep});
  ASSERT_TRUE(device.ok());
  const auto memory = bench::CaseMemory::create(*device, one, 3);
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  std::vector<int64_t> order;
  auto timer = LaunchTimer::create(*device->runtime, 5, [&](int64_t i, Stream stream) {
    order.push_back(i % memory->copies());
    return memory->enqueue(i % memory->copies(), stream);
  });
  ASSERT_TRUE(timer.ok()) << timer.status().message();
  EXPECT_EQ(order, (std::vector<int64_t>{0, 0, 1, 2, 0, 1})) << "one by itself, then the graph";
  EXPECT_EQ(device->runtime->take_launches().size(), 6u) << "the warm-up";
  for (int run = 0; run < 2; ++run) {
    const auto us = timer->run_us();
    ASSERT_TRUE(us.ok()) << us.status().message();
    EXPECT_GT(*us, 0);
    EXPECT_EQ(device->runtime->take_launches().size(), 5u);
  }
}

// Of the first launch, and of one within the capture.
TEST(LaunchTimer, ReturnsTheErrorOfALaunch) {
  for (const int64_t bad : {0, 1}) {
    emulation::EmulatedRuntime runtime;
    const auto timer = LaunchTimer::create(runtime, 2, [bad](int64_t i, Stream) {
      return i == bad ? unsupported("this kernel is not for you") : Status();
    });
    testing::expect_refused(timer.status(), StatusCode::kUnsupported, "not for you");
    EXPECT_TRUE(runtime.synchronize_device().ok()) << "the capture is over";
  }
}

}  // namespace
}  // namespace yolocu
