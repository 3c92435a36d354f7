// An emulated device: memory, and launches with the shape of kernels/launch.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "kernels/emulation/counters.h"
#include "kernels/emulation/fiber.h"
#include "kernels/emulation/global_memory.h"
#include "kernels/emulation/options.h"
#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu::emulation {

// Memory and options outlive launches; nothing is shared between devices. One launch at a time.
class EmulatedDevice {
 public:
  explicit EmulatedDevice(EmulationOptions options = {}) : options_(options) {}

  GlobalMemory& memory() { return memory_; }
  EmulationOptions& options() { return options_; }
  // Of the last launch that ran.
  const Counters& counters() const { return counters_; }

  // Runs kernel(arguments...) for every thread of the grid and waits for its end; config.stream is
  // ignored. Errors: those of check_launch_limits; kInvalidArgument or kUnsupported for what a
  // device of options().compute_capability refuses; kUnavailable with the first violation of CUDA's
  // rules ("kernel K, block (x,y,z), thread (x,y,z) at file:line: what"), after which the device
  // can launch again; kResourceExhausted without room for the stacks. With several workers, which
  // of several violations is reported may vary.
  template <typename... Params>
  Status launch(const NamedKernel<Params...>& kernel, const LaunchConfig& config,
                std::type_identity_t<Params>... arguments) {
    return run(kernel.name, config,
               [function = kernel.function, packed = std::tuple<Params...>(arguments...)] {
                 std::apply(function, packed);
               });
  }

  // launch() without the types: `kernel` runs once for each thread.
  Status run(std::string_view name, const LaunchConfig& config, std::function<void()> kernel);

 private:
  GlobalMemory memory_;
  std::vector<std::unique_ptr<StackPool>> stacks_;  // one a worker, kept for the next launch
  EmulationOptions options_;
  Counters counters_;
};

// `count` T of a device's memory; starts as poison. The device outlives it.
template <typename T>
class EmulatedBuffer {
 public:
  static Result<EmulatedBuffer> create(EmulatedDevice& device, int64_t count, std::string name) {
    YOLOCU_ASSIGN_OR_RETURN(
        void* memory,
        device.memory().allocate(count * static_cast<int64_t>(sizeof(T)), std::move(name)));
    return EmulatedBuffer(device, static_cast<T*>(memory), count);
  }
  ~EmulatedBuffer() {
    if (data_ != nullptr) static_cast<void>(device_->memory().release(data_));
  }
  EmulatedBuffer(EmulatedBuffer&& other) noexcept
      : device_(other.device_), data_(std::exchange(other.data_, nullptr)), count_(other.count_) {}
  EmulatedBuffer& operator=(EmulatedBuffer&&) = delete;

  T* data() const { return data_; }
  int64_t size() const { return count_; }

  Status upload(std::span<const T> values) {
    return device_->memory().upload(data_, values.data(),
                                    static_cast<int64_t>(values.size_bytes()));
  }
  Result<std::vector<T>> download() const {
    std::vector<T> values(static_cast<size_t>(count_));
    YOLOCU_RETURN_IF_ERROR(
        device_->memory().download(values.data(), data_, count_ * static_cast<int64_t>(sizeof(T))));
    return values;
  }

 private:
  EmulatedBuffer(EmulatedDevice& device, T* data, int64_t count)
      : device_(&device), data_(data), count_(count) {}

  EmulatedDevice* device_;
  T* data_;
  int64_t count_;
};

}  // namespace yolocu::emulation
