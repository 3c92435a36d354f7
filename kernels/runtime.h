// A device as its user sees it: memory, streams, events and graphs, with one meaning on CUDA and on
// the emulated device (emulation/runtime.h).
//
// Calls come back before their work is done. Work on one stream runs in order; between streams only
// events order it. What goes wrong while work runs is returned by a later call that waits, and from
// then on by every call: a CUDA context does not recover. Every error names what failed.
//
// Safe to call from several host threads, each with streams of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/device_query.h"
#include "kernels/launch.h"
#include "kernels/launch_log.h"
#include "yolocu/status.h"

// What CUDA's headers define cudaEvent_t and cudaGraphExec_t with.
struct CUevent_st;
struct CUgraphExec_st;

namespace yolocu {

using Event = CUevent_st*;            // a point in a stream
using LaunchGraph = CUgraphExec_st*;  // captured work, ready to be launched again and again

// Handles that come back belong to the caller, who gives them back before the runtime ends, once
// their work is done; the classes below do it. A handle that is not alive is kInvalidArgument on
// the emulated device, and undefined on CUDA.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;

  virtual const DeviceInfo& info() const = 0;
  // Once on each host thread that launches kernels: CUDA's current device is a thread's own.
  virtual Status make_current() = 0;

  // `bytes` >= 0, aligned to 256 bytes, not initialised. The name appears in messages.
  // kResourceExhausted without room.
  virtual Result<void*> allocate(int64_t bytes, std::string_view name) = 0;
  // Work that uses the memory must be done. nullptr is fine.
  virtual Status release(void* memory) = 0;
  // Host memory stays alive and is not touched (when the device reads: not changed) until the
  // stream has been waited for. Memory of the host is pageable, so CUDA may copy at once.
  virtual Status upload(void* dst, const void* host_src, int64_t bytes, Stream stream) = 0;
  virtual Status download(void* host_dst, const void* src, int64_t bytes, Stream stream) = 0;
  // Every byte of dst becomes `value`.
  virtual Status fill(void* dst, uint8_t value, int64_t bytes, Stream stream) = 0;

  // A stream that waits for no other, CUDA's default stream included.
  virtual Result<Stream> create_stream() = 0;
  virtual Status destroy_stream(Stream stream) = 0;

  virtual Result<Event> create_event() = 0;
  virtual Status destroy_event(Event event) = 0;
  // The event becomes the point that the stream has reached by now.
  virtual Status record(Event event, Stream stream) = 0;
  // Later work on the stream waits for the point that the event is now; no effect if it was never
  // recorded.
  virtual Status wait(Stream stream, Event event) = 0;
  // Milliseconds between two recorded events that have been waited for: the device's time; on the
  // emulated device the host's, which says nothing of a GPU. kInvalidArgument if one was never
  // recorded, kUnavailable if it has not been reached.
  virtual Result<double> elapsed_ms(Event from, Event to) = 0;

  // The host waits, and gets the error of work that failed.
  virtual Status synchronize_stream(Stream stream) = 0;
  virtual Status synchronize_event(Event event) = 0;
  virtual Status synchronize_device() = 0;

  // Until end_capture, work enqueued on the stream is captured instead of run. A stream that waits
  // for an event recorded in the capture takes part (fork), and must be waited for, through an
  // event, by the first stream before the end (join). Meanwhile this thread may not allocate,
  // release or wait, and no captured stream may wait for an event from outside: that spoils the
  // capture.
  virtual Status begin_capture(Stream stream) = 0;
  // Kernel arguments and addresses are those of the capture. Fails, and ends the capture, if it is
  // spoilt or a stream was not joined.
  virtual Result<LaunchGraph> end_capture(Stream stream) = 0;
  virtual Status destroy_graph(LaunchGraph graph) = 0;
  // Waits, on the device, for earlier launches of the same graph.
  virtual Status launch_graph(LaunchGraph graph, Stream stream) = 0;

  // Keeps records of launches. CUDA: of calls of launch() on streams of this runtime by threads
  // that switched the log on, captured ones once. Emulated: of kernels that ran, in that order,
  // launches of graphs included.
  virtual Status log_launches(LaunchLog log) = 0;
  // The records since the last call.
  virtual std::vector<LaunchRecord> take_launches() = 0;
};

// CUDA's device `ordinal`. kUnsupported and kNotFound as query_devices(); kInvalidArgument for a
// number that it does not list. Becomes current on this thread.
Result<std::unique_ptr<DeviceRuntime>> cuda_runtime(int ordinal = 0);

// Owns one handle of a runtime, which outlives it. An error of giving it back is dropped: it is one
// that earlier calls reported.
template <typename Handle, Status (DeviceRuntime::*kDestroy)(Handle)>
class OwnedHandle {
 public:
  OwnedHandle() = default;
  OwnedHandle(DeviceRuntime& runtime, Handle handle) : runtime_(&runtime), handle_(handle) {}
  ~OwnedHandle() { reset(); }
  OwnedHandle(OwnedHandle&& other) noexcept
      : runtime_(other.runtime_), handle_(std::exchange(other.handle_, nullptr)) {}
  OwnedHandle& operator=(OwnedHandle&& other) noexcept {
    if (this == &other) return *this;
    reset();
    runtime_ = other.runtime_;
    handle_ = std::exchange(other.handle_, nullptr);
    return *this;
  }

  // nullptr if empty.
  Handle get() const { return handle_; }
  void reset() {
    if (handle_ != nullptr) static_cast<void>((runtime_->*kDestroy)(handle_));
    handle_ = nullptr;
  }

 private:
  DeviceRuntime* runtime_ = nullptr;
  Handle handle_ = nullptr;
};

using OwnedStream = OwnedHandle<Stream, &DeviceRuntime::destroy_stream>;
using OwnedEvent = OwnedHandle<Event, &DeviceRuntime::destroy_event>;
using OwnedGraph = OwnedHandle<LaunchGraph, &DeviceRuntime::destroy_graph>;

inline Result<OwnedStream> make_stream(DeviceRuntime& runtime) {
  YOLOCU_ASSIGN_OR_RETURN(const Stream stream, runtime.create_stream());
  return OwnedStream(runtime, stream);
}

inline Result<OwnedEvent> make_event(DeviceRuntime& runtime) {
  YOLOCU_ASSIGN_OR_RETURN(const Event event, runtime.create_event());
  return OwnedEvent(runtime, event);
}

// end_capture() with an owner.
inline Result<OwnedGraph> finish_capture(DeviceRuntime& runtime, Stream stream) {
  YOLOCU_ASSIGN_OR_RETURN(const LaunchGraph graph, runtime.end_capture(stream));
  return OwnedGraph(runtime, graph);
}

// `size_bytes()` bytes of device memory.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  static Result<DeviceMemory> create(DeviceRuntime& runtime, int64_t bytes, std::string_view name) {
    YOLOCU_ASSIGN_OR_RETURN(void* const memory, runtime.allocate(bytes, name));
    return DeviceMemory(runtime, memory, bytes);
  }

  template <typename T = void>
  T* data() const {
    return static_cast<T*>(memory_.get());
  }
  int64_t size_bytes() const { return bytes_; }

 private:
  DeviceMemory(DeviceRuntime& runtime, void* memory, int64_t bytes)
      : memory_(runtime, memory), bytes_(bytes) {}

  OwnedHandle<void*, &DeviceRuntime::release> memory_;
  int64_t bytes_ = 0;  // meaningless after a move
};

}  // namespace yolocu
