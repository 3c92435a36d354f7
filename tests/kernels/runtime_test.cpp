// DeviceRuntime on every device. Work whose order shows in its result is a chain of moves: channel
// i + 1 of a buffer takes channel i, so the last is right only if all ran, in order.
#include "kernels/runtime.h"

#include <cstring>
#include <numeric>
#include <thread>
#include <type_traits>

#include "tests/kernels/kernel_device.h"

namespace yolocu {
namespace {

using testing::DeviceKind;
using testing::KernelDevice;

constexpr int64_t kChannels = 12;

// A buffer of kChannels f32 in one pixel, and moves within it.
class Moves {
 public:
  Moves(DeviceRuntime& runtime, const KernelTable& kernels, Stream stream)
      : runtime_(runtime), kernels_(kernels) {
    std::vector<uint32_t> values(kChannels);
    std::iota(values.begin(), values.end(), 100u);
    buffer_ = testing::to_device(
        runtime, stream, {reinterpret_cast<const uint8_t*>(values.data()), kChannels * 4}, "moves");
  }

  Status move(int64_t to, int64_t from, Stream stream) const {
    const ChannelCopyProblem problem{.dtype = DType::kF32,
                                     .pixels = 1,
                                     .channels = 1,
                                     .dst_pixel_stride = kChannels,
                                     .dst_offset = to,
                                     .src_pixel_stride = kChannels,
                                     .src_offset = from};
    YOLOCU_ASSIGN_OR_RETURN(const ChannelCopyVariant variant, select_channel_copy(problem));
    return kernels_.channel_copy(buffer_.data(), buffer_.data(), problem, variant, stream);
  }
  Status chain(int64_t first, int64_t last, Stream stream) const {
    for (int64_t i = first; i < last; ++i) YOLOCU_RETURN_IF_ERROR(move(i + 1, i, stream));
    return {};
  }
  std::vector<uint32_t> values(Stream stream) const {
    const auto bytes = testing::to_host(runtime_, stream, buffer_);
    std::vector<uint32_t> values(bytes.size() / 4);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

 private:
  DeviceRuntime& runtime_;
  const KernelTable& kernels_;
  DeviceMemory buffer_;
};

const std::vector<uint32_t> kAllFirst(kChannels, 100u);

// One case without parameters.
struct Once {};
std::string name_of(const Once&) {
  return "any";
}

class Runtime : public testing::KernelTest<Once> {
 protected:
  Moves moves() { return {runtime(), kernels(), stream()}; }
  OwnedStream new_stream() { return std::move(make_stream(runtime()).value()); }
  OwnedEvent new_event() { return std::move(make_event(runtime()).value()); }
};

TEST_P(Runtime, DescribesItsDevice) {
  const DeviceInfo& info = runtime().info();
  EXPECT_FALSE(info.name.empty());
  EXPECT_GE(info.compute_major, 8);
  EXPECT_GT(info.multiprocessors, 0);
  EXPECT_GT(info.memory_bytes, 0);
  EXPECT_GE(info.shared_bytes_per_block, 48 * 1024);
  EXPECT_TRUE(runtime().make_current().ok());
}

TEST_P(Runtime, FillsAndCopiesPartsOfMemory) {
  const auto expected = [] {
    std::vector<uint8_t> bytes(1000, 7);
    std::fill(bytes.begin() + 100, bytes.begin() + 350, uint8_t{0xAB});
    return bytes;
  }();
  const DeviceMemory memory = to_device(std::vector<uint8_t>(1000, 7), "memory");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 256, 0u);
  ASSERT_OK(runtime().fill(memory.data<uint8_t>() + 100, 0xAB, 250, stream()));
  EXPECT_EQ(to_host(memory), expected);
}

TEST_P(Runtime, RefusesSizesThatMakeNoSense) {
  EXPECT_FALSE(DeviceMemory::create(runtime(), -1, "negative").ok());
  const auto huge = DeviceMemory::create(runtime(), int64_t{1} << 50, "huge");
  testing::expect_refused(huge.status(), StatusCode::kResourceExhausted, "huge");
  const DeviceMemory memory = to_device(std::vector<uint8_t>(16, 0), "memory");
  EXPECT_FALSE(runtime().fill(memory.data(), 0, -1, stream()).ok());
  ASSERT_OK(runtime().synchronize_device());
}

TEST_P(Runtime, MemoryOfNoBytesIsMemory) {
  const auto first = DeviceMemory::create(runtime(), 0, "first");
  const auto second = DeviceMemory::create(runtime(), 0, "second");
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_NE(first->data(), second->data());
  ASSERT_OK(runtime().upload(first->data(), nullptr, 0, stream()));
  ASSERT_OK(runtime().release(nullptr));
}

TEST_P(Runtime, OneStreamRunsInOrder) {
  const Moves moves = this->moves();
  ASSERT_OK(moves.chain(0, kChannels - 1, stream()));
  EXPECT_EQ(moves.values(stream()), kAllFirst);
}

// Two streams take turns, each move after the other stream's.
TEST(RuntimeOrder, EventsOrderStreams) {
  for (const DeviceKind kind : {DeviceKind::kEmulated, DeviceKind::kCuda}) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
      auto device = testing::open_device(kind, seed);
      if (!device.ok()) break;
      DeviceRuntime& runtime = *device->runtime;
      const OwnedStream other = std::move(make_stream(runtime).value());
      const Stream streams[] = {device->stream.get(), other.get()};
      const OwnedEvent event = std::move(make_event(runtime).value());
      const Moves moves(runtime, *device->kernels, streams[0]);
      for (int64_t i = 0; i + 1 < kChannels; ++i) {
        ASSERT_OK(moves.move(i + 1, i, streams[i % 2]));
        ASSERT_OK(runtime.record(event.get(), streams[i % 2]));
        ASSERT_OK(runtime.wait(streams[(i + 1) % 2], event.get()));
      }
      ASSERT_EQ(moves.values(streams[(kChannels - 1) % 2]), kAllFirst) << "seed " << seed;
      ASSERT_OK(runtime.synchronize_device());
    }
  }
}

TEST_P(Runtime, EventsNeverRecordedAreNoWait) {
  const OwnedEvent event = new_event(), other = new_event();
  EXPECT_TRUE(runtime().wait(stream(), event.get()).ok());
  EXPECT_TRUE(runtime().synchronize_event(event.get()).ok());
  ASSERT_OK(runtime().record(other.get(), stream()));
  ASSERT_OK(runtime().synchronize_event(other.get()));
  EXPECT_EQ(runtime().elapsed_ms(event.get(), other.get()).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_P(Runtime, TimeBetweenEvents) {
  const OwnedEvent before = new_event(), after = new_event();
  const Moves moves = this->moves();
  ASSERT_OK(runtime().record(before.get(), stream()));
  ASSERT_OK(moves.chain(0, 3, stream()));
  ASSERT_OK(runtime().record(after.get(), stream()));
  ASSERT_OK(runtime().synchronize_event(after.get()));
  const auto elapsed = runtime().elapsed_ms(before.get(), after.get());
  ASSERT_OK(elapsed);
  EXPECT_GT(elapsed.value(), 0);
  EXPECT_LT(elapsed.value(), 60e3);
}

// Half of the chain in a forked stream, which is joined for the rest.
TEST_P(Runtime, CaptureWithAForkEqualsTheDirectRun) {
  const OwnedStream other = new_stream();
  const OwnedEvent forked = new_event(), joined = new_event();
  const Moves moves = this->moves();
  const std::vector<uint32_t> before = moves.values(stream());
  ASSERT_OK(runtime().begin_capture(stream()));
  ASSERT_OK(moves.chain(0, 3, stream()));
  ASSERT_OK(runtime().record(forked.get(), stream()));
  ASSERT_OK(runtime().wait(other.get(), forked.get()));
  ASSERT_OK(moves.chain(3, 7, other.get()));
  ASSERT_OK(runtime().record(joined.get(), other.get()));
  ASSERT_OK(runtime().wait(stream(), joined.get()));
  ASSERT_OK(moves.chain(7, kChannels - 1, stream()));
  const auto graph = finish_capture(runtime(), stream());
  ASSERT_OK(graph);
  EXPECT_EQ(moves.values(stream()), before) << "a capture must not run its work";
  ASSERT_OK(runtime().launch_graph(graph->get(), other.get()));
  EXPECT_EQ(moves.values(other.get()), kAllFirst);
}

// The graph turns the first three channels by one; three launches on three streams make a full turn
// only if each waits for the one before.
TEST_P(Runtime, LaunchesOfOneGraphWaitForEachOther) {
  const Moves moves = this->moves();
  const std::vector<uint32_t> before = moves.values(stream());
  ASSERT_OK(runtime().begin_capture(stream()));
  for (const auto& [to, from] : {std::pair{3, 0}, {0, 1}, {1, 2}, {2, 3}}) {
    ASSERT_OK(moves.move(to, from, stream()));
  }
  const auto graph = finish_capture(runtime(), stream());
  ASSERT_OK(graph);
  const OwnedStream second = new_stream(), third = new_stream();
  for (const Stream on : {stream(), second.get(), third.get()}) {
    ASSERT_OK(runtime().launch_graph(graph->get(), on));
  }
  ASSERT_OK(runtime().synchronize_device());
  const std::vector<uint32_t> after = moves.values(stream());
  EXPECT_EQ(std::vector(after.begin(), after.begin() + 3),
            std::vector(before.begin(), before.begin() + 3));
}

TEST_P(Runtime, AForkThatIsNotJoinedIsRefused) {
  const OwnedStream other = new_stream();
  const OwnedEvent forked = new_event();
  const Moves moves = this->moves();
  ASSERT_OK(runtime().begin_capture(stream()));
  ASSERT_OK(moves.move(1, 0, stream()));
  ASSERT_OK(runtime().record(forked.get(), stream()));
  ASSERT_OK(runtime().wait(other.get(), forked.get()));
  ASSERT_OK(moves.move(2, 1, other.get()));
  const Status status = finish_capture(runtime(), stream()).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("end of a capture"), std::string::npos) << status.message();
  ASSERT_OK(moves.chain(0, kChannels - 1, other.get()));
  EXPECT_EQ(moves.values(other.get()), kAllFirst) << "both streams must be free again";
}

TEST_P(Runtime, WaitingSpoilsACapture) {
  const Moves moves = this->moves();
  ASSERT_OK(runtime().begin_capture(stream()));
  ASSERT_OK(moves.move(1, 0, stream()));
  EXPECT_FALSE(runtime().synchronize_stream(stream()).ok());
  EXPECT_FALSE(finish_capture(runtime(), stream()).ok());
  ASSERT_OK(moves.chain(0, kChannels - 1, stream()));
  EXPECT_EQ(moves.values(stream()), kAllFirst);
}

TEST_P(Runtime, LogsLaunchesWhileItIsOn) {
  const Moves moves = this->moves();
  ASSERT_OK(moves.move(1, 0, stream()));
  ASSERT_OK(runtime().synchronize_stream(stream()));
  ASSERT_OK(runtime().log_launches(LaunchLog::kOn));
  ASSERT_OK(moves.chain(1, 4, stream()));
  ASSERT_OK(runtime().synchronize_stream(stream()));
  ASSERT_OK(runtime().log_launches(LaunchLog::kOff));
  ASSERT_OK(moves.move(5, 4, stream()));
  ASSERT_OK(runtime().synchronize_stream(stream()));
  const std::vector<LaunchRecord> records = runtime().take_launches();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].kernel, "channel_copy_naive_f32_v4");
  EXPECT_EQ(records[0].block.y, 256);
  EXPECT_EQ(records[0].grid.x, 1);
  EXPECT_EQ(records[0].counters.has_value(), kind() == DeviceKind::kEmulated);
  EXPECT_EQ(records[0].counters.value_or(emulation::Counters{}).global_written_bytes,
            kind() == DeviceKind::kEmulated ? 4 : 0);
  EXPECT_TRUE(runtime().take_launches().empty());
}

TEST_P(Runtime, HostThreadsHaveStreamsOfTheirOwn) {
  constexpr int kThreads = 2, kTurns = 20;
  std::vector<std::string> failures(kThreads);
  const auto work = [this](std::string& failure) {
    const OwnedStream own = new_stream();
    for (int i = 0; i < kTurns && failure.empty(); ++i) {
      if (!runtime().make_current().ok()) failure = "make_current";
      const Moves moves(runtime(), kernels(), own.get());
      const Status status = moves.chain(0, kChannels - 1, own.get());
      if (!status.ok()) failure = status.message();
      if (moves.values(own.get()) != kAllFirst) failure = "wrong values";
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::string& failure : failures) threads.emplace_back([&] { work(failure); });
  }
  EXPECT_EQ(failures, std::vector<std::string>(kThreads));
}

TEST_P(Runtime, HandlesMove) {
  static_assert(!std::is_copy_constructible_v<OwnedStream>);
  static_assert(!std::is_copy_constructible_v<DeviceMemory>);
  OwnedStream first = new_stream();
  const Stream handle = first.get();
  OwnedStream second = std::move(first);
  EXPECT_EQ(second.get(), handle);
  EXPECT_EQ(first.get(), nullptr);
  second = new_stream();
  EXPECT_NE(second.get(), nullptr);
  ASSERT_OK(runtime().synchronize_stream(second.get()));
}

YOLOCU_INSTANTIATE_ON_DEVICES(Runtime, ::testing::Values(Once{}), name_of);

}  // namespace
}  // namespace yolocu
