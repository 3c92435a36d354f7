// What tests of the emulated runtime share: a device with streams, and kernels whose order shows.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "kernels/device/memory.h"
#include "kernels/emulation/runtime.h"
#include "tests/support/test_support.h"

namespace yolocu::testing {

// log[n] = id for the n-th of these kernels to run. log [1 + capacity] i32: the count, then the
// ids.
YOLOCU_KERNEL write_log(device::GlobalPtr<int> log, int id) {
  const int count = log.load(0);
  log.store(1 + count, id);
  log.store(0, count + 1);
}

// y[0] = x[0] + 1.
YOLOCU_KERNEL increment(device::GlobalPtr<int> y, device::GlobalPtr<const int> x) {
  y.store(0, x.load(0) + 1);
}

class RuntimeWithStreams {
 public:
  static constexpr size_t kStreams = 3;

  explicit RuntimeWithStreams(uint64_t seed = 1) : runtime({.seed = seed}) {
    for (OwnedStream& stream : streams_) stream = std::move(make_stream(runtime).value());
  }

  Stream stream(size_t i = 0) const { return streams_.at(i).get(); }
  OwnedEvent event() { return std::move(make_event(runtime).value()); }

  // `values` in device memory, once the stream 0 has been waited for.
  DeviceMemory filled(const std::vector<int>& values, const std::string& name) {
    const auto bytes = static_cast<int64_t>(values.size() * sizeof(int));
    DeviceMemory memory = std::move(DeviceMemory::create(runtime, bytes, name).value());
    EXPECT_TRUE(runtime.upload(memory.data(), values.data(), bytes, stream()).ok());
    EXPECT_TRUE(runtime.synchronize_stream(stream()).ok());
    return memory;
  }
  DeviceMemory log(size_t capacity) { return filled(std::vector<int>(capacity + 1, 0), "log"); }

  // All words, through stream 0, after all that was enqueued.
  std::vector<int> values(const DeviceMemory& memory) {
    std::vector<int> words(static_cast<size_t>(memory.size_bytes()) / sizeof(int));
    EXPECT_TRUE(runtime.synchronize_device().ok());
    EXPECT_TRUE(runtime.download(words.data(), memory.data(), memory.size_bytes(), stream()).ok());
    EXPECT_TRUE(runtime.synchronize_stream(stream()).ok());
    return words;
  }
  // The ids in the order in which write_log ran.
  std::vector<int> logged(const DeviceMemory& memory) {
    const std::vector<int> words = values(memory);
    return {words.begin() + 1, words.begin() + 1 + words.at(0)};
  }

  Status enqueue_log(const DeviceMemory& log, int id, size_t on) const {
    return launch(named_kernel("write_log", write_log), {.stream = stream(on)},
                  device::GlobalPtr(log.data<int>()), id);
  }
  Status enqueue_increment(const DeviceMemory& y, const DeviceMemory& x, size_t on) const {
    return launch(named_kernel("increment", increment), {.stream = stream(on)},
                  device::GlobalPtr(y.data<int>()), device::GlobalPtr<const int>(x.data<int>()));
  }

  emulation::EmulatedRuntime runtime;

 private:
  std::array<OwnedStream, kStreams> streams_;
};

}  // namespace yolocu::testing
