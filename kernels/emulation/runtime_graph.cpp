// Waits between streams and by the host, captures and graphs of the emulated device.
#include "engine/base/str_cat.h"
#include "kernels/emulation/runtime.h"

namespace yolocu::emulation {
namespace {

// The capture will end in this error; nothing if there is none, or it is over.
Status spoil(const CapturePoint& point, std::string why) {
  Status status = invalid_argument(std::move(why));
  if (point.capture != nullptr && !point.capture->is_over && point.capture->spoilt.ok()) {
    point.capture->spoilt = status;
  }
  return status;
}

Status check_not_captured(const CapturePoint& point, std::string_view what) {
  if (point.capture == nullptr) return {};
  return spoil(point, str_cat(what, " that is captured: its work does not run"));
}

// A stream waits for a point in a capture: it takes part in the capture from now on.
Status fork_or_join(CapturePoint& stream, const CapturePoint& event) {
  if (event.capture->is_over) {
    return spoil(stream, "wait for an event that was recorded in a capture, after its end");
  }
  if (stream.capture == nullptr) {
    stream = event;
    return {};
  }
  if (stream.capture != event.capture) {
    static_cast<void>(spoil(event, "capture: a stream of another capture waits for it"));
    return spoil(stream, "capture: a stream waits for an event of another capture");
  }
  join(stream, event);
  return stream.capture->spoilt;
}

}  // namespace

Status EmulatedRuntime::check_may_wait(std::string_view what) const {
  for (const auto& stream : streams_) {
    const CapturePoint& point = stream->point;
    if (point.capture != nullptr && point.capture->thread == std::this_thread::get_id()) {
      return spoil(point, str_cat(what, " while this thread captures"));
    }
  }
  return error_;
}

Status EmulatedRuntime::wait(Stream stream_handle, Event event_handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(error_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedStream* const stream, find(stream_handle));
  YOLOCU_ASSIGN_OR_RETURN(const EmulatedEvent* const event, find(event_handle));
  if (event->point.capture != nullptr) return fork_or_join(stream->point, event->point);
  if (event->recorded == nullptr) return {};
  if (stream->point.capture != nullptr) {
    return spoil(stream->point, "capture: a stream waits for an event from outside");
  }
  stream->last = queue_.add(nullptr, {stream->last, event->recorded}, stream->lane);
  return {};
}

Status EmulatedRuntime::synchronize_stream(Stream handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_may_wait("wait for a stream"));
  YOLOCU_ASSIGN_OR_RETURN(const EmulatedStream* const stream, find(handle));
  YOLOCU_RETURN_IF_ERROR(check_not_captured(stream->point, "wait for a stream"));
  return stream->last == nullptr ? Status() : run_until(stream->last);
}

Status EmulatedRuntime::synchronize_event(Event handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_may_wait("wait for an event"));
  YOLOCU_ASSIGN_OR_RETURN(const EmulatedEvent* const event, find(handle));
  YOLOCU_RETURN_IF_ERROR(check_not_captured(event->point, "wait for an event"));
  return event->recorded == nullptr ? Status() : run_until(event->recorded);
}

Status EmulatedRuntime::synchronize_device() {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_may_wait("wait for the device"));
  return run_until(nullptr);
}

Status EmulatedRuntime::begin_capture(Stream handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(error_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedStream* const stream, find(handle));
  if (stream->point.capture != nullptr) {
    return spoil(stream->point, "begin of a capture: the stream is in one already");
  }
  stream->point.capture = std::make_shared<Capture>();
  stream->point.capture->first_lane = stream->lane;
  return {};
}

Status EmulatedRuntime::check_end(const EmulatedStream& first) const {
  YOLOCU_RETURN_IF_ERROR(first.point.capture->spoilt);
  for (const auto& stream : streams_) {
    if (stream->point.capture == first.point.capture && !is_joined(first.point, stream->point)) {
      return invalid_argument("end of a capture: work of a forked stream was not joined");
    }
  }
  return {};
}

Result<LaunchGraph> EmulatedRuntime::end_capture(Stream handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedStream* const stream, find(handle));
  const std::shared_ptr<Capture> capture = stream->point.capture;
  if (capture == nullptr) return invalid_argument("end of a capture: none has begun");
  if (capture->first_lane != stream->lane) {
    return spoil(stream->point, "end of a capture: it began on another stream");
  }
  const Status status = check_end(*stream);
  capture->is_over = true;
  for (const auto& other : streams_) {
    if (other->point.capture == capture) other->point = {};
  }
  YOLOCU_RETURN_IF_ERROR(error_);
  YOLOCU_RETURN_IF_ERROR(status);
  graphs_.push_back(std::make_unique<EmulatedGraph>());
  graphs_.back()->nodes = std::move(capture->nodes);
  return reinterpret_cast<LaunchGraph>(graphs_.back().get());
}

Status EmulatedRuntime::destroy_graph(LaunchGraph handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedGraph* const graph, find(handle));
  graph->life = Life::kOver;
  graph->nodes.clear();
  return error_;
}

Status EmulatedRuntime::launch_graph(LaunchGraph graph_handle, Stream stream_handle) {
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(error_);
  YOLOCU_ASSIGN_OR_RETURN(EmulatedGraph* const graph, find(graph_handle));
  YOLOCU_ASSIGN_OR_RETURN(EmulatedStream* const stream, find(stream_handle));
  if (stream->point.capture != nullptr) {
    return spoil(stream->point, "launch of a graph on a stream that is captured");
  }
  const OperationPtr start = queue_.add(nullptr, {stream->last, graph->last_launch}, stream->lane);
  stream->last = replay(*graph, start, stream->lane);
  graph->last_launch = stream->last;
  return {};
}

// The point behind all nodes of the graph.
OperationPtr EmulatedRuntime::replay(const EmulatedGraph& graph, const OperationPtr& start,
                                     uint32_t lane) {
  std::vector<OperationPtr> operations;
  for (const GraphNode& node : graph.nodes) {
    std::vector<OperationPtr> after = {start};
    for (const size_t before : node.after) after.push_back(operations[before]);
    operations.push_back(queue_.add(node.work, std::move(after), node.lane));
  }
  operations.push_back(start);
  return queue_.add(nullptr, std::move(operations), lane);
}

}  // namespace yolocu::emulation
