#include "bench/kernels/launch_timer.h"

#include <utility>

namespace yolocu::bench {

Result<LaunchTimer> LaunchTimer::create(DeviceRuntime& runtime, int64_t launches,
                                        const std::function<Status(int64_t, Stream)>& enqueue) {
  LaunchTimer timer;
  timer.runtime_ = &runtime;
  timer.launches_ = launches;
  YOLOCU_ASSIGN_OR_RETURN(timer.stream_, make_stream(runtime));
  YOLOCU_ASSIGN_OR_RETURN(timer.before_, make_event(runtime));
  YOLOCU_ASSIGN_OR_RETURN(timer.after_, make_event(runtime));
  const Stream stream = timer.stream_.get();
  // Kernels are loaded at their first launch, which is no work for a capture.
  YOLOCU_RETURN_IF_ERROR(enqueue(0, stream));
  YOLOCU_RETURN_IF_ERROR(runtime.synchronize_stream(stream));
  YOLOCU_RETURN_IF_ERROR(runtime.begin_capture(stream));
  Status status;
  for (int64_t i = 0; i < launches && status.ok(); ++i) status = enqueue(i, stream);
  Result<OwnedGraph> graph = finish_capture(runtime, stream);
  YOLOCU_RETURN_IF_ERROR(status);
  if (!graph.ok()) return graph.status();
  timer.graph_ = std::move(*graph);
  YOLOCU_ASSIGN_OR_RETURN([[maybe_unused]] const double warm_up, timer.run_us());
  return timer;
}

Result<double> LaunchTimer::run_us() {
  const Stream stream = stream_.get();
  YOLOCU_RETURN_IF_ERROR(runtime_->record(before_.get(), stream));
  YOLOCU_RETURN_IF_ERROR(runtime_->launch_graph(graph_.get(), stream));
  YOLOCU_RETURN_IF_ERROR(runtime_->record(after_.get(), stream));
  YOLOCU_RETURN_IF_ERROR(runtime_->synchronize_event(after_.get()));
  YOLOCU_ASSIGN_OR_RETURN(const double ms, runtime_->elapsed_ms(before_.get(), after_.get()));
  return ms * 1000 / static_cast<double>(launches_);
}

}  // namespace yolocu::bench
