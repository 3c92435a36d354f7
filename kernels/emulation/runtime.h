// DeviceRuntime on the emulated device, as late as CUDA allows: work runs only when the host waits
// (for a stream, an event or the device), in an order that the seed draws among all that streams
// and events leave open. Copies see host memory as it is then; what a download will write is poison
// until it has run. A program that forgets a wait fails with some seeds.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/emulation/capture.h"
#include "kernels/emulation/launch.h"
#include "kernels/emulation/operation_queue.h"
#include "kernels/runtime.h"

namespace yolocu::emulation {

class EmulatedRuntime;

// What the handles point to. Those that were given back stay, to be told from live ones.
enum class Life : uint8_t { kAlive, kOver };

struct EmulatedStream {
  EmulatedRuntime* runtime;
  uint32_t lane;
  Life life = Life::kAlive;
  OperationPtr last = {};  // nullptr: nothing was enqueued
  CapturePoint point = {};
};

struct EmulatedEvent {
  Life life = Life::kAlive;
  OperationPtr recorded = {};
  CapturePoint point = {};
};

struct EmulatedGraph {
  Life life = Life::kAlive;
  std::vector<GraphNode> nodes = {};
  OperationPtr last_launch = {};
};

// An sm_90 of 132 multiprocessors, unless the caller wants another.
DeviceInfo emulated_device_info();

// One emulated device. Stricter than CUDA, where a program must not count on what CUDA does:
// nullptr is no stream, and releasing memory does not wait for the work that uses it, which then
// fails. After an error of work the object can be used again once reset_error() was called.
class EmulatedRuntime : public DeviceRuntime {
 public:
  // options.seed also draws the order of work, and the seed of each launch.
  explicit EmulatedRuntime(EmulationOptions options = {}, DeviceInfo info = emulated_device_info());

  const DeviceInfo& info() const override { return info_; }
  Status make_current() override { return {}; }

  Result<void*> allocate(int64_t bytes, std::string_view name) override;
  Status release(void* memory) override;
  Status upload(void* dst, const void* host_src, int64_t bytes, Stream stream) override;
  Status download(void* host_dst, const void* src, int64_t bytes, Stream stream) override;
  Status fill(void* dst, uint8_t value, int64_t bytes, Stream stream) override;

  Result<Stream> create_stream() override;
  Status destroy_stream(Stream stream) override;
  Result<Event> create_event() override;
  Status destroy_event(Event event) override;
  Status record(Event event, Stream stream) override;
  Status wait(Stream stream, Event event) override;
  Result<double> elapsed_ms(Event from, Event to) override;
  Status synchronize_stream(Stream stream) override;
  Status synchronize_event(Event event) override;
  Status synchronize_device() override;

  Status begin_capture(Stream stream) override;
  Result<LaunchGraph> end_capture(Stream stream) override;
  Status destroy_graph(LaunchGraph graph) override;
  Status launch_graph(LaunchGraph graph, Stream stream) override;

  Status log_launches(LaunchLog log) override;
  std::vector<LaunchRecord> take_launches() override;

  // For enqueue_launch. Virtual for those who only want to know what is launched.
  virtual Status enqueue_kernel(std::string_view name, const LaunchConfig& config,
                                std::function<void()> kernel);

  // Forgets the error that all calls return, as no CUDA context can.
  void reset_error();

 private:
  // All of these with the mutex held.
  Result<EmulatedStream*> find(Stream stream) const;
  Result<EmulatedEvent*> find(Event event) const;
  Result<EmulatedGraph*> find(LaunchGraph graph) const;
  // The sticky error; or that this thread captures, which spoils the capture.
  Status check_may_wait(std::string_view what) const;
  Status check_device_bytes(const void* memory, int64_t bytes, std::string_view what);
  Status enqueue(Stream stream, Work work);
  Status run_kernel(const std::string& name, const LaunchConfig& config,
                    const std::function<void()>& kernel);
  Status run_until(const OperationPtr& target);
  Status check_end(const EmulatedStream& stream) const;
  OperationPtr replay(const EmulatedGraph& graph, const OperationPtr& start, uint32_t lane);

  const DeviceInfo info_;
  std::mutex mutex_;  // guards all that follows
  EmulatedDevice device_;
  OperationQueue queue_;
  Random launch_seeds_;
  Status error_;  // of work that failed; all calls return it
  LaunchLog log_ = LaunchLog::kOff;
  std::vector<LaunchRecord> records_;
  std::map<void*, int64_t> allocated_;
  int64_t allocated_bytes_ = 0;
  std::vector<std::unique_ptr<EmulatedStream>> streams_;
  std::vector<std::unique_ptr<EmulatedEvent>> events_;
  std::vector<std::unique_ptr<EmulatedGraph>> graphs_;
};

}  // namespace yolocu::emulation
