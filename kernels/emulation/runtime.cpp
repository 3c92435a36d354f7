// Memory, streams, events and kernels of the emulated device. Graphs: runtime_graph.cpp.
#include "kernels/emulation/runtime.h"

#include "engine/base/str_cat.h"
#include "kernels/emulation/report.h"

namespace yolocu::emulation {
namespace {

template <typename T>
Result<T*> find_alive(const std::vector<std::unique_ptr<T>>& all, const void* handle,
                      std::string_view what) {
  for (const std::unique_ptr<T>& object : all) {
    if (object.get() == handle && object->life == Life::kAlive) return object.get();
  }
  return invalid_argument(
      str_cat("emulated device: ", handle, " is no ", what, " of this device, or was destroyed"));
}

HostBytes host_bytes(void* begin, int64_t bytes) {
  return {static_cast<std::byte*>(begin), static_cast<size_t>(bytes)};
}

Status check_host(const void* memory, int64_t bytes, std::string_view what) {
  if (memory != nullptr || bytes == 0) return {};
  return invalid_argument(str_cat(what, " of ", bytes, " bytes: host memory is nullptr"));
}

}  // namespace

DeviceInfo emulated_device_info() {
  return {.ordinal = 0,
          .name = "emulated",
          .compute_major = 9,
          .compute_minor = 0,
          .multiprocessors = 132,
          .memory_bytes = int64_t{16} << 30,
          .shared_bytes_per_block = 227 * 1024,
          .has_wgmma = true};
}

EmulatedRuntime::EmulatedRuntime(EmulationOptions options, DeviceInfo info)
    : info_(std::move(info)),
      device_(options),
      queue_(options.seed),
      launch_seeds_(options.seed + 1) {
  device_.options().compute_capability = 10 * info_.compute_major + info_.compute_minor;
}

Result<EmulatedStream*> EmulatedRuntime::find(Stream stream) const {
  return find_alive(streams_, stream, "stream");
}
Result<EmulatedEvent*> EmulatedRuntime::find(Event event) const {
  return find_alive(events_, event, "event");
}
Result<EmulatedGraph*> EmulatedRuntime::find(LaunchGraph graph) const {
  return find_alive(graphs_, graph, "graph");
}

Result<void*> EmulatedRuntime::allocate(int64_t bytes, std::string_view name) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_may_wait("allocation"));
  if (bytes > info_.memory_bytes - allocated_bytes_) {
    return resource_exhausted(str_cat("emulated memory '", name, "': no room for ", bytes,
                                      " bytes beside ", allocated_bytes_, " of ",
                                      info_.memory_bytes));
  }
  YOLOCU_ASSIGN_OR_RETURN(void* const memory, device_.memory().allocate(bytes, std::string(name)));
  allocated_[memory] = bytes;
  allocated_bytes_ += bytes;
  return memory;
}

// The memory goes in any case: owners call this once.
Status EmulatedRuntime::release(void* memory) {
  const std::scoped_lock lock(mutex_);
  const Status released = device_.memory().release(memory);
  if (const auto found = allocated_.find(memory); found != allocated_.end()) {
    allocated_bytes_ -= found->second;
    allocated_.erase(found);
  }
  YOLOCU_RETURN_IF_ERROR(check_may_wait("release of memory"));
  return released;
}

Status EmulatedRuntime::check_device_bytes(const void* memory, int64_t bytes,
                                           std::string_view what) {
  if (bytes == 0) return {};
  return device_.memory().check_copy(memory, bytes).with_context(std::string(what));
}

Status EmulatedRuntime::upload(void* dst, const void* host_src, int64_t bytes, Stream stream) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_device_bytes(dst, bytes, "upload"));
  YOLOCU_RETURN_IF_ERROR(check_host(host_src, bytes, "upload"));
  return enqueue(stream,
                 {.run =
                      [this, dst, host_src, bytes] {
                        return device_.memory().upload(dst, host_src, bytes).with_context("upload");
                      },
                  .reads = host_bytes(const_cast<void*>(host_src), bytes)});
}

Status EmulatedRuntime::download(void* host_dst, const void* src, int64_t bytes, Stream stream) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_device_bytes(src, bytes, "download"));
  YOLOCU_RETURN_IF_ERROR(check_host(host_dst, bytes, "download"));
  return enqueue(
      stream,
      {.run =
           [this, host_dst, src, bytes] {
             return device_.memory().download(host_dst, src, bytes).with_context("download");
           },
       .writes = host_bytes(host_dst, bytes)});
}

Status EmulatedRuntime::fill(void* dst, uint8_t value, int64_t bytes, Stream stream) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_device_bytes(dst, bytes, "fill"));
  return enqueue(stream, {.run = [this, dst, value, bytes] {
                   const std::vector<uint8_t> values(static_cast<size_t>(bytes), value);
                   return device_.memory().upload(dst, values.data(), bytes).with_context("fill");
                 }});
}

Status EmulatedRuntime::enqueue(Stream handle, Work work) {
  YOLOCU_RETURN_IF_ERROR(error_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedStream* const stream, find(handle));
  auto shared = std::make_shared<const Work>(std::move(work));
  if (stream->point.capture == nullptr) {
    stream->last = queue_.add(std::move(shared), {stream->last}, stream->lane);
    return {};
  }
  Capture& capture = *stream->point.capture;
  YOLOCU_RETURN_IF_ERROR(capture.spoilt);
  capture.nodes.push_back({std::move(shared), stream->point.nodes, stream->lane});
  stream->point.nodes = {capture.nodes.size() - 1};
  return {};
}

Status enqueue_launch(std::string_view name, CallSite site, const LaunchConfig& config,
                      std::function<void()> kernel) {
  // A stream of another kind cannot be told from one of ours; nullptr is the likely mistake.
  if (config.stream == nullptr) {
    return invalid_argument(str_cat(
        "kernel ", name, ": the emulated device has no default stream (", place_text(site), ")"));
  }
  const auto* stream = reinterpret_cast<const EmulatedStream*>(config.stream);
  return stream->runtime->enqueue_kernel(name, config, std::move(kernel));
}

Status EmulatedRuntime::enqueue_kernel(std::string_view name, const LaunchConfig& config,
                                       std::function<void()> kernel) {
  YOLOCU_RETURN_IF_ERROR(check_launch_limits(name, config));
  if (config.shared_bytes > info_.shared_bytes_per_block) {
    return invalid_argument(str_cat("kernel ", name, ": expected at most ",
                                    info_.shared_bytes_per_block, " bytes of shared memory, got ",
                                    config.shared_bytes));
  }
  const Extent3& cluster = config.cluster;
  if (info_.compute_major < 9 && cluster.x * cluster.y * cluster.z > 1) {
    return unsupported(str_cat("kernel ", name, ": clusters need sm_90, and the device is sm_",
                               info_.compute_major, info_.compute_minor));
  }
  const std::scoped_lock lock(mutex_);
  return enqueue(config.stream,
                 {.run = [this, name = std::string(name), config, kernel = std::move(kernel)] {
                   return run_kernel(name, config, kernel);
                 }});
}

// Called from within run_until.
Status EmulatedRuntime::run_kernel(const std::string& name, const LaunchConfig& config,
                                   const std::function<void()>& kernel) {
  device_.options().seed = launch_seeds_.next();
  YOLOCU_RETURN_IF_ERROR(device_.run(name, config, kernel));
  if (log_ == LaunchLog::kOn) {
    records_.push_back(launch_record(name, config));
    records_.back().counters = device_.counters();
  }
  return {};
}

Status EmulatedRuntime::run_until(const OperationPtr& target) {
  error_ = queue_.run_until(target);
  return error_;
}

void EmulatedRuntime::reset_error() {
  const std::scoped_lock lock(mutex_);
  error_ = {};
}

Result<Stream> EmulatedRuntime::create_stream() {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(error_);
  const auto lane = static_cast<uint32_t>(streams_.size());
  streams_.push_back(
      std::make_unique<EmulatedStream>(EmulatedStream{.runtime = this, .lane = lane}));
  return reinterpret_cast<Stream>(streams_.back().get());
}

// Its work still runs.
Status EmulatedRuntime::destroy_stream(Stream handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedStream* const stream, find(handle));
  stream->life = Life::kOver;
  if (stream->point.capture != nullptr) {
    stream->point.capture->spoilt = invalid_argument("capture: one of its streams was destroyed");
  }
  return error_;
}

Result<Event> EmulatedRuntime::create_event() {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(error_);
  events_.push_back(std::make_unique<EmulatedEvent>());
  return reinterpret_cast<Event>(events_.back().get());
}

Status EmulatedRuntime::destroy_event(Event handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedEvent* const event, find(handle));
  event->life = Life::kOver;
  return error_;
}

Status EmulatedRuntime::record(Event event_handle, Stream stream_handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(error_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedEvent* const event, find(event_handle));
  YOLOCU_ASSIGN_OR_RETURN(EmulatedStream* const stream, find(stream_handle));
  event->point = stream->point;
  event->recorded = nullptr;
  if (stream->point.capture != nullptr) return stream->point.capture->spoilt;
  stream->last = queue_.add(nullptr, {stream->last}, stream->lane);
  event->recorded = stream->last;
  return {};
}

Result<double> EmulatedRuntime::elapsed_ms(Event from, Event to) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(error_);
  YOLOCU_ASSIGN_OR_RETURN(const EmulatedEvent* const first, find(from));
  YOLOCU_ASSIGN_OR_RETURN(const EmulatedEvent* const second, find(to));
  if (first->recorded == nullptr || second->recorded == nullptr) {
    return invalid_argument("time between events: one was not recorded");
  }
  if (!first->recorded->is_done || !second->recorded->is_done) {
    return unavailable("time between events: one has not been reached");
  }
  const std::chrono::duration<double, std::milli> elapsed =
      second->recorded->finished - first->recorded->finished;
  return elapsed.count();
}

Status EmulatedRuntime::log_launches(LaunchLog log) {
  const std::scoped_lock lock(mutex_);
  log_ = log;
  return {};
}

std::vector<LaunchRecord> EmulatedRuntime::take_launches() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(records_, {});
}

}  // namespace yolocu::emulation
