// Captures and graphs of the emulated runtime.
#include <thread>

#include "tests/kernels/emulation/runtime_support.h"

namespace yolocu {
namespace {

using testing::expect_refused;
using testing::RuntimeWithStreams;

// Captures log(0) on stream 0, then log(1) there beside log(2) on stream 1, then log(3).
Result<OwnedGraph> capture_diamond(RuntimeWithStreams& device, const DeviceMemory& log) {
  const OwnedEvent forked = device.event(), joined = device.event();
  const Stream first = device.stream(0), second = device.stream(1);
  YOLOCU_RETURN_IF_ERROR(device.runtime.begin_capture(first));
  YOLOCU_RETURN_IF_ERROR(device.enqueue_log(log, 0, 0));
  YOLOCU_RETURN_IF_ERROR(device.runtime.record(forked.get(), first));
  YOLOCU_RETURN_IF_ERROR(device.runtime.wait(second, forked.get()));
  YOLOCU_RETURN_IF_ERROR(device.enqueue_log(log, 1, 0));
  YOLOCU_RETURN_IF_ERROR(device.enqueue_log(log, 2, 1));
  YOLOCU_RETURN_IF_ERROR(device.runtime.record(joined.get(), second));
  YOLOCU_RETURN_IF_ERROR(device.runtime.wait(first, joined.get()));
  YOLOCU_RETURN_IF_ERROR(device.enqueue_log(log, 3, 0));
  return finish_capture(device.runtime, first);
}

TEST(EmulatedGraph, BranchesRunInEitherOrder) {
  int first_orders = 0, second_orders = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    RuntimeWithStreams device(seed);
    const DeviceMemory log = device.log(4);
    const auto graph = capture_diamond(device, log);
    ASSERT_OK(graph);
    ASSERT_OK(device.runtime.launch_graph(graph->get(), device.stream(2)));
    const std::vector<int> order = device.logged(log);
    if (order == std::vector<int>{0, 1, 2, 3}) ++first_orders;
    if (order == std::vector<int>{0, 2, 1, 3}) ++second_orders;
  }
  EXPECT_EQ(first_orders + second_orders, 200);
  EXPECT_GT(first_orders, 20);
  EXPECT_GT(second_orders, 20);
}

TEST(EmulatedGraph, LaunchesOfOneGraphDoNotOverlap) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    RuntimeWithStreams device(seed);
    const DeviceMemory log = device.log(8);
    const auto graph = capture_diamond(device, log);
    ASSERT_OK(graph);
    ASSERT_OK(device.runtime.launch_graph(graph->get(), device.stream(1)));
    ASSERT_OK(device.runtime.launch_graph(graph->get(), device.stream(2)));
    const std::vector<int> order = device.logged(log);
    ASSERT_EQ(order.size(), 8u);
    EXPECT_EQ((std::array{order[0], order[3], order[4], order[7]}), (std::array{0, 3, 0, 3}))
        << "seed " << seed;
  }
}

// Copies and fills of a graph act on memory as it is at the launch.
TEST(EmulatedGraph, ReplaysCopiesWithNewContents) {
  RuntimeWithStreams device;
  const DeviceMemory x = device.filled({0}, "x"), y = device.filled({0, 0}, "y");
  int in = 0;
  std::array<int, 2> out = {};
  ASSERT_OK(device.runtime.begin_capture(device.stream()));
  ASSERT_OK(device.runtime.upload(x.data(), &in, 4, device.stream()));
  ASSERT_OK(device.runtime.fill(y.data(), 0x11, 8, device.stream()));
  ASSERT_OK(device.enqueue_increment(y, x, 0));
  ASSERT_OK(device.runtime.download(out.data(), y.data(), 8, device.stream()));
  const auto graph = finish_capture(device.runtime, device.stream());
  ASSERT_OK(graph);
  for (const int value : {5, 50, 500}) {
    in = value;
    ASSERT_OK(device.runtime.launch_graph(graph->get(), device.stream()));
    EXPECT_EQ(out[0], -1) << "poison, until the stream has been waited for";
    ASSERT_OK(device.runtime.synchronize_stream(device.stream()));
    EXPECT_EQ(out[0], value + 1);
    EXPECT_EQ(out[1], 0x11111111);
  }
}

TEST(EmulatedGraph, LogsEveryKernelOfEveryLaunch) {
  RuntimeWithStreams device;
  const DeviceMemory log = device.log(8);
  const auto graph = capture_diamond(device, log);
  ASSERT_OK(graph);
  ASSERT_OK(device.runtime.log_launches(LaunchLog::kOn));
  ASSERT_OK(device.runtime.launch_graph(graph->get(), device.stream(1)));
  ASSERT_OK(device.runtime.launch_graph(graph->get(), device.stream(2)));
  ASSERT_OK(device.runtime.synchronize_device());
  EXPECT_EQ(device.runtime.take_launches().size(), 8u);
}

TEST(EmulatedGraph, LaunchAfterItsMemoryWasReleasedIsReported) {
  RuntimeWithStreams device;
  DeviceMemory log = device.log(8);
  const auto graph = capture_diamond(device, log);
  ASSERT_OK(graph);
  ASSERT_OK(device.runtime.launch_graph(graph->get(), device.stream()));
  ASSERT_OK(device.runtime.synchronize_device());
  log = DeviceMemory();
  ASSERT_OK(device.runtime.launch_graph(graph->get(), device.stream()));
  expect_refused(device.runtime.synchronize_device(), StatusCode::kUnavailable,
                 "'log' after it was released");
}

TEST(EmulatedGraph, EndsWithItsOwner) {
  RuntimeWithStreams device;
  const DeviceMemory log = device.log(4);
  auto graph = capture_diamond(device, log);
  ASSERT_OK(graph);
  const LaunchGraph handle = graph->get();
  ASSERT_OK(device.runtime.launch_graph(handle, device.stream()));
  graph->reset();
  expect_refused(device.runtime.launch_graph(handle, device.stream()), StatusCode::kInvalidArgument,
                 "no graph");
  EXPECT_EQ(device.logged(log).size(), 4u) << "launches that were enqueued still run";
}

// Begins a capture, acts, and ends it: the capture must fail for `reason`.
template <typename Act>
void expect_spoilt(const std::string& reason, Act act) {
  RuntimeWithStreams device;
  ASSERT_OK(device.runtime.begin_capture(device.stream()));
  act(device);
  expect_refused(finish_capture(device.runtime, device.stream()).status(),
                 StatusCode::kInvalidArgument, reason);
  const DeviceMemory log = device.log(1);
  ASSERT_OK(device.enqueue_log(log, 1, 0));
  EXPECT_EQ(device.logged(log), std::vector<int>{1}) << "the stream must be free again";
}

TEST(EmulatedCapture, IsSpoiltByWhatWaits) {
  expect_spoilt("allocation while this thread captures", [](RuntimeWithStreams& device) {
    EXPECT_FALSE(device.runtime.allocate(4, "x").ok());
  });
  expect_spoilt("wait for the device", [](RuntimeWithStreams& device) {
    EXPECT_FALSE(device.runtime.synchronize_device().ok());
  });
  expect_spoilt("wait for a stream that is captured", [](RuntimeWithStreams& device) {
    std::jthread([&] { EXPECT_FALSE(device.runtime.synchronize_stream(device.stream()).ok()); });
  });
  expect_spoilt("wait for an event that is captured", [](RuntimeWithStreams& device) {
    const OwnedEvent event = device.event();
    EXPECT_TRUE(device.runtime.record(event.get(), device.stream()).ok());
    std::jthread([&] { EXPECT_FALSE(device.runtime.synchronize_event(event.get()).ok()); });
  });
}

TEST(EmulatedCapture, IsSpoiltByWorkFromOutside) {
  expect_spoilt("waits for an event from outside", [](RuntimeWithStreams& device) {
    const OwnedEvent event = device.event();
    EXPECT_TRUE(device.runtime.record(event.get(), device.stream(1)).ok());
    EXPECT_FALSE(device.runtime.wait(device.stream(), event.get()).ok());
  });
  expect_spoilt("the stream is in one already", [](RuntimeWithStreams& device) {
    EXPECT_FALSE(device.runtime.begin_capture(device.stream()).ok());
  });
  expect_spoilt("another capture waits", [](RuntimeWithStreams& device) {
    const OwnedEvent event = device.event();
    EXPECT_TRUE(device.runtime.begin_capture(device.stream(1)).ok());
    EXPECT_TRUE(device.runtime.record(event.get(), device.stream()).ok());
    EXPECT_FALSE(device.runtime.wait(device.stream(1), event.get()).ok());
    EXPECT_FALSE(device.runtime.end_capture(device.stream(1)).ok());
  });
}

TEST(EmulatedCapture, OtherThreadsGoOn) {
  RuntimeWithStreams device;
  const DeviceMemory log = device.log(4), own = device.log(1);
  ASSERT_OK(device.runtime.begin_capture(device.stream()));
  ASSERT_OK(device.enqueue_log(log, 0, 0));
  std::jthread([&] {
    EXPECT_TRUE(DeviceMemory::create(device.runtime, 4, "x").ok());
    EXPECT_TRUE(device.enqueue_log(own, 1, 1).ok());
    EXPECT_TRUE(device.runtime.synchronize_stream(device.stream(1)).ok());
  }).join();
  ASSERT_OK(finish_capture(device.runtime, device.stream()));
  EXPECT_EQ(device.logged(own).size(), 1u);
  EXPECT_EQ(device.logged(log).size(), 0u);
}

TEST(EmulatedCapture, EndsOnTheStreamWhereItBegan) {
  RuntimeWithStreams device;
  const OwnedEvent event = device.event();
  EXPECT_FALSE(device.runtime.end_capture(device.stream()).ok());
  ASSERT_OK(device.runtime.begin_capture(device.stream()));
  ASSERT_OK(device.runtime.record(event.get(), device.stream()));
  ASSERT_OK(device.runtime.wait(device.stream(1), event.get()));
  expect_refused(device.runtime.end_capture(device.stream(1)).status(),
                 StatusCode::kInvalidArgument, "another stream");
  EXPECT_FALSE(device.runtime.end_capture(device.stream()).ok());
  expect_refused(device.runtime.wait(device.stream(2), event.get()), StatusCode::kInvalidArgument,
                 "after its end");
}

}  // namespace
}  // namespace yolocu
