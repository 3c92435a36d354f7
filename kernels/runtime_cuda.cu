// DeviceRuntime on the CUDA runtime API.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "engine/base/str_cat.h"
#include "kernels/cuda_status.h"
#include "kernels/launch_recorder.h"
#include "kernels/runtime.h"

namespace yolocu {
namespace {

// What one runtime keeps of launches. Launching threads hold it weakly.
class CudaLaunchLog : public LaunchRecorder {
 public:
  void launched(std::string_view kernel, const LaunchConfig& config) override {
    const std::scoped_lock lock(mutex_);
    if (log_ == LaunchLog::kOff || !streams_.contains(config.stream)) return;
    records_.push_back(launch_record(kernel, config));
  }
  void add_stream(Stream stream) {
    const std::scoped_lock lock(mutex_);
    streams_.insert(stream);
  }
  void remove_stream(Stream stream) {
    const std::scoped_lock lock(mutex_);
    streams_.erase(stream);
  }
  void set(LaunchLog log) {
    const std::scoped_lock lock(mutex_);
    log_ = log;
  }
  std::vector<LaunchRecord> take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(records_, {});
  }

 private:
  std::mutex mutex_;
  LaunchLog log_ = LaunchLog::kOff;
  std::set<Stream> streams_;
  std::vector<LaunchRecord> records_;
};

// As cuda_status, and takes back the copy that CUDA would hand to an unrelated later check.
Status checked(cudaError_t error, std::string_view what, CallSite site = CallSite::current()) {
  if (error != cudaSuccess) cudaGetLastError();
  return cuda_status(error, what, site);
}

class CudaRuntime : public DeviceRuntime {
 public:
  explicit CudaRuntime(DeviceInfo info) : info_(std::move(info)) {}

  const DeviceInfo& info() const override { return info_; }

  Status make_current() override {
    return checked(cudaSetDevice(info_.ordinal), str_cat("CUDA device ", info_.ordinal));
  }

  Result<void*> allocate(int64_t bytes, std::string_view name) override {
    if (bytes < 0) {
      return invalid_argument(str_cat("device memory '", name, "': cannot hold ", bytes, " bytes"));
    }
    YOLOCU_RETURN_IF_ERROR(make_current());
    void* memory = nullptr;
    // CUDA gives nullptr for no bytes, which release() takes too, but no two pointers would differ.
    const auto size = static_cast<size_t>(std::max(bytes, int64_t{1}));
    YOLOCU_RETURN_IF_ERROR(checked(cudaMalloc(&memory, size),
                                   str_cat("device memory '", name, "' of ", bytes, " bytes")));
    return memory;
  }
  Status release(void* memory) override {
    return checked(cudaFree(memory), "release of device memory");
  }
  Status upload(void* dst, const void* host_src, int64_t bytes, Stream stream) override {
    return copy(dst, host_src, bytes, cudaMemcpyHostToDevice, "upload", stream);
  }
  Status download(void* host_dst, const void* src, int64_t bytes, Stream stream) override {
    return copy(host_dst, src, bytes, cudaMemcpyDeviceToHost, "download", stream);
  }
  Status fill(void* dst, uint8_t value, int64_t bytes, Stream stream) override {
    YOLOCU_RETURN_IF_ERROR(check_size(bytes, "fill"));
    if (bytes == 0) return {};
    return checked(cudaMemsetAsync(dst, value, static_cast<size_t>(bytes), stream),
                   str_cat("fill of ", bytes, " bytes"));
  }

  Result<Stream> create_stream() override {
    YOLOCU_RETURN_IF_ERROR(make_current());
    Stream stream = nullptr;
    YOLOCU_RETURN_IF_ERROR(
        checked(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "new stream"));
    log_->add_stream(stream);
    return stream;
  }
  Status destroy_stream(Stream stream) override {
    log_->remove_stream(stream);
    return checked(cudaStreamDestroy(stream), "end of a stream");
  }

  Result<Event> create_event() override {
    YOLOCU_RETURN_IF_ERROR(make_current());
    Event event = nullptr;
    YOLOCU_RETURN_IF_ERROR(checked(cudaEventCreate(&event), "new event"));
    return event;
  }
  Status destroy_event(Event event) override {
    return checked(cudaEventDestroy(event), "end of an event");
  }
  Status record(Event event, Stream stream) override {
    return checked(cudaEventRecord(event, stream), "record of an event");
  }
  Status wait(Stream stream, Event event) override {
    return checked(cudaStreamWaitEvent(stream, event, 0), "wait of a stream for an event");
  }
  Result<double> elapsed_ms(Event from, Event to) override {
    float ms = 0;
    YOLOCU_RETURN_IF_ERROR(checked(cudaEventElapsedTime(&ms, from, to), "time between events"));
    return double{ms};
  }

  Status synchronize_stream(Stream stream) override {
    return checked(cudaStreamSynchronize(stream), "wait for a stream");
  }
  Status synchronize_event(Event event) override {
    return checked(cudaEventSynchronize(event), "wait for an event");
  }
  Status synchronize_device() override {
    YOLOCU_RETURN_IF_ERROR(make_current());
    return checked(cudaDeviceSynchronize(), "wait for the device");
  }

  // The mode in which other threads may allocate and wait meanwhile.
  Status begin_capture(Stream stream) override {
    return checked(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                   "begin of a capture");
  }
  Result<LaunchGraph> end_capture(Stream stream) override {
    cudaGraph_t captured = nullptr;
    YOLOCU_RETURN_IF_ERROR(checked(cudaStreamEndCapture(stream, &captured), "end of a capture"));
    LaunchGraph graph = nullptr;
    const Status status =
        checked(cudaGraphInstantiate(&graph, captured, 0), "instantiation of a graph");
    const Status destroyed = checked(cudaGraphDestroy(captured), "end of a captured graph");
    YOLOCU_RETURN_IF_ERROR(status);
    YOLOCU_RETURN_IF_ERROR(destroyed);
    return graph;
  }
  Status destroy_graph(LaunchGraph graph) override {
    return checked(cudaGraphExecDestroy(graph), "end of a graph");
  }
  Status launch_graph(LaunchGraph graph, Stream stream) override {
    return checked(cudaGraphLaunch(graph, stream), "launch of a graph");
  }

  Status log_launches(LaunchLog log) override {
    log_->set(log);
    if (log == LaunchLog::kOn) record_launches_of_this_thread(log_);
    return {};
  }
  std::vector<LaunchRecord> take_launches() override { return log_->take(); }

 private:
  static Status check_size(int64_t bytes, std::string_view what) {
    if (bytes >= 0) return {};
    return invalid_argument(str_cat(what, ": cannot be of ", bytes, " bytes"));
  }
  static Status copy(void* dst, const void* src, int64_t bytes, cudaMemcpyKind kind,
                     std::string_view what, Stream stream) {
    YOLOCU_RETURN_IF_ERROR(check_size(bytes, what));
    if (bytes == 0) return {};  // whatever CUDA would say to nullptr
    return checked(cudaMemcpyAsync(dst, src, static_cast<size_t>(bytes), kind, stream),
                   str_cat(what, " of ", bytes, " bytes"));
  }

  DeviceInfo info_;
  std::shared_ptr<CudaLaunchLog> log_ = std::make_shared<CudaLaunchLog>();
};

}  // namespace

Result<std::unique_ptr<DeviceRuntime>> cuda_runtime(int ordinal) {
  YOLOCU_ASSIGN_OR_RETURN(const DeviceList list, query_devices());
  for (const DeviceInfo& info : list.devices) {
    if (info.ordinal != ordinal) continue;
    auto runtime = std::make_unique<CudaRuntime>(info);
    YOLOCU_RETURN_IF_ERROR(runtime->make_current());
    return std::unique_ptr<DeviceRuntime>(std::move(runtime));
  }
  return invalid_argument(str_cat("CUDA device ", ordinal, ": expected one of ",
                                  list.devices.size(), " devices, counted from 0"));
}

}  // namespace yolocu
