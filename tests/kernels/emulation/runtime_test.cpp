// The emulated runtime is as late, and runs work in as unlucky an order, as CUDA allows; and it
// reports what CUDA would leave undefined.
#include <set>
#include <thread>

#include "kernels/emulation/random.h"
#include "tests/kernels/emulation/runtime_support.h"

namespace yolocu {
namespace {

using emulation::EmulatedRuntime;
using emulation::Random;
using testing::expect_refused;
using testing::RuntimeWithStreams;

constexpr uint64_t kSeeds = 200;

TEST(EmulatedRuntime, NothingRunsBeforeAWait) {
  RuntimeWithStreams device;
  const DeviceMemory x = device.filled({41}, "x"), y = device.filled({0}, "y");
  int out = 5;
  ASSERT_OK(device.runtime.log_launches(LaunchLog::kOn));
  ASSERT_OK(device.enqueue_increment(y, x, 0));
  ASSERT_OK(device.runtime.download(&out, y.data(), 4, device.stream()));
  EXPECT_EQ(out, -1) << "poison, until the stream has been waited for";
  EXPECT_TRUE(device.runtime.take_launches().empty());
  ASSERT_OK(device.runtime.synchronize_stream(device.stream()));
  EXPECT_EQ(out, 42);
  EXPECT_EQ(device.runtime.take_launches().size(), 1u);
}

TEST(EmulatedRuntime, UploadsSeeHostMemoryAsItIsAtTheWait) {
  RuntimeWithStreams device;
  const DeviceMemory x = device.filled({1}, "x");
  int in = 2;
  ASSERT_OK(device.runtime.upload(x.data(), &in, 4, device.stream()));
  in = 3;
  EXPECT_EQ(device.values(x), std::vector<int>{3});
}

TEST(EmulatedRuntime, PoisonSparesWhatAPendingUploadReads) {
  RuntimeWithStreams device;
  const DeviceMemory x = device.filled({1}, "x"), y = device.filled({2}, "y");
  int both = 7;
  ASSERT_OK(device.runtime.upload(x.data(), &both, 4, device.stream()));
  ASSERT_OK(device.runtime.download(&both, y.data(), 4, device.stream()));
  ASSERT_OK(device.runtime.synchronize_stream(device.stream()));
  EXPECT_EQ(both, 2);
  EXPECT_EQ(device.values(x), std::vector<int>{7});
}

TEST(EmulatedRuntime, WaitingRunsNoMoreThanItMust) {
  std::set<size_t> after_event, after_stream;  // how many have run
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    RuntimeWithStreams device(seed);
    const DeviceMemory log = device.log(6);
    const OwnedEvent event = device.event();
    ASSERT_OK(device.runtime.log_launches(LaunchLog::kOn));
    for (const int id : {0, 1, 2}) ASSERT_OK(device.enqueue_log(log, id, 1));
    ASSERT_OK(device.enqueue_log(log, 3, 0));
    ASSERT_OK(device.runtime.record(event.get(), device.stream(0)));
    ASSERT_OK(device.enqueue_log(log, 4, 0));
    ASSERT_OK(device.runtime.synchronize_event(event.get()));
    after_event.insert(device.runtime.take_launches().size());
    ASSERT_OK(device.enqueue_log(log, 5, 1));
    ASSERT_OK(device.runtime.synchronize_stream(device.stream(0)));
    after_stream.insert(device.runtime.take_launches().size());
  }
  EXPECT_EQ(after_event, (std::set<size_t>{1, 2, 3, 4}));
  EXPECT_EQ(*after_stream.begin(), 1u) << "only what stream 0 still had";
}

TEST(EmulatedRuntime, WaitingForOneStreamMayLeaveAnotherBehind) {
  std::set<size_t> counts;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    RuntimeWithStreams device(seed);
    const DeviceMemory log = device.log(6);
    std::vector<int> words(7);
    for (const int id : {0, 1, 2}) ASSERT_OK(device.enqueue_log(log, id, 1));
    ASSERT_OK(device.runtime.download(words.data(), log.data(), 28, device.stream(0)));
    ASSERT_OK(device.runtime.synchronize_stream(device.stream(0)));
    counts.insert(static_cast<size_t>(words[0]));
  }
  EXPECT_EQ(counts, (std::set<size_t>{0, 1, 2, 3}));
}

// Work with its stream, and the events between streams, drawn at random.
struct Program {
  std::vector<size_t> stream_of;                  // of each id
  std::vector<std::pair<int, int>> must_precede;  // ids
};

Program enqueue_random_program(RuntimeWithStreams& device, const DeviceMemory& log, Random& random,
                               int size) {
  Program program;
  std::array<int, RuntimeWithStreams::kStreams> last = {-1, -1, -1};
  std::array<int, RuntimeWithStreams::kStreams> awaited = {-1, -1, -1};
  for (int id = 0; id < size; ++id) {
    const size_t on = random.below(3), other = random.below(3);
    if (random.below(3) == 0) {
      const OwnedEvent event = device.event();
      EXPECT_TRUE(device.runtime.record(event.get(), device.stream(other)).ok());
      EXPECT_TRUE(device.runtime.wait(device.stream(on), event.get()).ok());
      awaited[on] = last[other];
    }
    if (last[on] >= 0) program.must_precede.emplace_back(last[on], id);
    if (awaited[on] >= 0) program.must_precede.emplace_back(awaited[on], id);
    EXPECT_TRUE(device.enqueue_log(log, id, on).ok());
    program.stream_of.push_back(on);
    last[on] = id;
  }
  return program;
}

TEST(EmulatedRuntime, StreamsAndEventsAreRespectedAndNothingElse) {
  constexpr int kSize = 12;
  int in_order_of_enqueuing = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Random random(seed);
    RuntimeWithStreams device(seed);
    const DeviceMemory log = device.log(kSize);
    const Program program = enqueue_random_program(device, log, random, kSize);
    const std::vector<int> order = device.logged(log);
    ASSERT_EQ(order.size(), size_t{kSize});
    std::vector<int> position(kSize, -1);
    for (int i = 0; i < kSize; ++i)
      position[static_cast<size_t>(order[static_cast<size_t>(i)])] = i;
    for (const auto& [before, after] : program.must_precede) {
      EXPECT_LT(position[static_cast<size_t>(before)], position[static_cast<size_t>(after)])
          << "seed " << seed << ": " << before << " before " << after;
    }
    if (std::is_sorted(order.begin(), order.end())) ++in_order_of_enqueuing;
  }
  EXPECT_LT(in_order_of_enqueuing, 20) << "the order must not be that of the calls";
}

TEST(EmulatedRuntime, TheSeedRepeatsTheOrder) {
  std::set<std::vector<int>> orders;
  for (const uint64_t seed : {1, 1, 1, 2, 3}) {
    RuntimeWithStreams device(seed);
    const DeviceMemory log = device.log(9);
    for (int id = 0; id < 9; ++id)
      ASSERT_OK(device.enqueue_log(log, id, static_cast<size_t>(id) % 3));
    orders.insert(device.logged(log));
  }
  EXPECT_GE(orders.size(), 2u);
  EXPECT_LE(orders.size(), 3u);
}

enum class EventWait { kPresent, kMissing };

// z = (x + 1) + 1 through y, the halves on two streams.
int add_on_two_streams(uint64_t seed, EventWait event_wait) {
  RuntimeWithStreams device(seed);
  const DeviceMemory x = device.filled({40}, "x"), y = device.filled({0}, "y"),
                     z = device.filled({0}, "z");
  const OwnedEvent half = device.event();
  EXPECT_TRUE(device.enqueue_increment(y, x, 1).ok());
  EXPECT_TRUE(device.runtime.record(half.get(), device.stream(1)).ok());
  if (event_wait == EventWait::kPresent) {
    EXPECT_TRUE(device.runtime.wait(device.stream(2), half.get()).ok());
  }
  EXPECT_TRUE(device.enqueue_increment(z, y, 2).ok());
  return device.values(z)[0];
}

TEST(EmulatedRuntime, AMissingWaitIsNoticedAndItsTwinNeverFails) {
  int noticed = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    EXPECT_EQ(add_on_two_streams(seed, EventWait::kPresent), 42) << "seed " << seed;
    if (add_on_two_streams(seed, EventWait::kMissing) != 42) ++noticed;
  }
  EXPECT_GT(noticed, static_cast<int>(kSeeds) / 4);
  EXPECT_LT(noticed, static_cast<int>(kSeeds) * 3 / 4) << "the lucky order is legal too";
}

TEST(EmulatedRuntime, ErrorsOfWorkStayUntilTheReset) {
  RuntimeWithStreams device;
  EmulatedRuntime& runtime = device.runtime;
  const DeviceMemory x = device.filled({1}, "x"), y = device.filled({7}, "y");
  const DeviceMemory raw = std::move(DeviceMemory::create(runtime, 4, "raw").value());
  ASSERT_OK(device.enqueue_increment(y, raw, 0));
  ASSERT_OK(device.enqueue_increment(y, x, 0));
  const Status first = runtime.synchronize_stream(device.stream());
  expect_refused(first, StatusCode::kUnavailable, "kernel increment");
  expect_refused(first, StatusCode::kUnavailable, "uninitialised memory: byte 0 of 'raw'");
  EXPECT_EQ(device.enqueue_increment(y, x, 1).message(), first.message());
  EXPECT_EQ(runtime.synchronize_stream(device.stream(1)).message(), first.message());
  EXPECT_EQ(runtime.synchronize_device().message(), first.message());
  EXPECT_EQ(runtime.create_stream().status().message(), first.message());
  EXPECT_EQ(runtime.allocate(4, "z").status().message(), first.message());
  EXPECT_EQ(runtime.fill(y.data(), 0, 4, device.stream()).message(), first.message());
  runtime.reset_error();
  EXPECT_EQ(device.values(y), std::vector<int>{7}) << "work behind the error is dropped";
  ASSERT_OK(device.enqueue_increment(y, x, 1));
  EXPECT_EQ(device.values(y), std::vector<int>{2});
}

TEST(EmulatedRuntime, MemoryReleasedBeforeItsWorkIsReported) {
  RuntimeWithStreams device;
  const DeviceMemory y = device.filled({2}, "y");
  {
    const DeviceMemory x = device.filled({1}, "x");
    ASSERT_OK(device.enqueue_increment(y, x, 0));
  }
  expect_refused(device.runtime.synchronize_device(), StatusCode::kUnavailable,
                 "'x' after it was released");
  device.runtime.reset_error();
  int in = 3;
  {
    const DeviceMemory x = device.filled({1}, "x");
    ASSERT_OK(device.runtime.upload(x.data(), &in, 4, device.stream()));
  }
  expect_refused(device.runtime.synchronize_device(), StatusCode::kInvalidArgument, "upload");
}

TEST(EmulatedRuntime, CopiesOutsideOfMemoryAreRefusedAtTheCall) {
  RuntimeWithStreams device;
  const DeviceMemory x = device.filled({1, 2}, "x");
  std::array<int, 3> host = {};
  expect_refused(device.runtime.upload(x.data(), host.data(), 12, device.stream()),
                 StatusCode::kInvalidArgument, "upload: emulated memory");
  expect_refused(device.runtime.download(host.data(), x.data<int>() + 1, 8, device.stream()),
                 StatusCode::kInvalidArgument, "outside x");
  expect_refused(device.runtime.fill(host.data(), 0, 4, device.stream()),
                 StatusCode::kInvalidArgument, "fill: emulated memory");
  expect_refused(device.runtime.download(nullptr, x.data(), 4, device.stream()),
                 StatusCode::kInvalidArgument, "host memory is nullptr");
  ASSERT_OK(device.runtime.synchronize_device());
}

TEST(EmulatedRuntime, HandlesMustBeAliveAndItsOwn) {
  RuntimeWithStreams device, stranger;
  const DeviceMemory log = device.log(1);
  OwnedStream ended = std::move(make_stream(device.runtime).value());
  const Stream handle = ended.get();
  ended.reset();
  const auto on = [&](Stream stream) {
    return launch(named_kernel("write_log", testing::write_log), {.stream = stream},
                  device::GlobalPtr(log.data<int>()), 1);
  };
  expect_refused(on(handle), StatusCode::kInvalidArgument, "no stream of this device");
  expect_refused(on(nullptr), StatusCode::kInvalidArgument,
                 "kernel write_log: the emulated device has no default stream (");
  expect_refused(on(nullptr), StatusCode::kInvalidArgument,
                 "tests/kernels/emulation/runtime_test.cpp:");
  expect_refused(device.runtime.synchronize_stream(stranger.stream()), StatusCode::kInvalidArgument,
                 "no stream of this device");
  expect_refused(device.runtime.record(nullptr, device.stream()), StatusCode::kInvalidArgument,
                 "no event of this device");
  expect_refused(device.runtime.launch_graph(nullptr, device.stream()),
                 StatusCode::kInvalidArgument, "no graph of this device");
}

TEST(EmulatedRuntime, LaunchesKeepTheLimitsOfTheDevice) {
  DeviceInfo info = emulation::emulated_device_info();
  info.compute_major = 8;
  info.shared_bytes_per_block = 100 * 1024;
  info.memory_bytes = 1000;
  EmulatedRuntime runtime({}, info);
  const OwnedStream stream = std::move(make_stream(runtime).value());
  const auto with = [&](LaunchConfig config) {
    config.stream = stream.get();
    return launch(named_kernel("increment", testing::increment), config, device::GlobalPtr<int>(),
                  device::GlobalPtr<const int>());
  };
  expect_refused(with({.grid = {0}}), StatusCode::kInvalidArgument, "grid.x");
  expect_refused(with({.shared_bytes = 101 * 1024}), StatusCode::kInvalidArgument, "102400");
  expect_refused(with({.grid = {2}, .cluster = {2}}), StatusCode::kUnsupported, "sm_80");
  auto most = DeviceMemory::create(runtime, 900, "most");
  ASSERT_OK(most);
  expect_refused(DeviceMemory::create(runtime, 101, "more").status(),
                 StatusCode::kResourceExhausted, "'more': no room for 101 bytes beside 900");
  most = DeviceMemory();
  ASSERT_OK(DeviceMemory::create(runtime, 1000, "all"));
}

TEST(EmulatedRuntime, TimesAreUnknownUntilAWait) {
  RuntimeWithStreams device;
  const OwnedEvent before = device.event(), after = device.event();
  ASSERT_OK(device.runtime.record(before.get(), device.stream()));
  ASSERT_OK(device.runtime.record(after.get(), device.stream()));
  EXPECT_EQ(device.runtime.elapsed_ms(before.get(), after.get()).status().code(),
            StatusCode::kUnavailable);
  ASSERT_OK(device.runtime.synchronize_event(after.get()));
  EXPECT_GE(device.runtime.elapsed_ms(before.get(), after.get()).value(), 0);
}

}  // namespace
}  // namespace yolocu
