// Time of launches by CUDA events.
#pragma once

#include <cstdint>
#include <functional>

#include "kernels/runtime.h"

namespace yolocu::bench {

// `launches` of something, captured once into a graph, as the engine runs its kernels: the time of
// one includes the gap to the next within a graph, and nothing of the host.
class LaunchTimer {
 public:
  // enqueue(i, stream) enqueues launch i of `launches`. Runs launch 0 by itself and the graph once,
  // which warms up and finds errors. The runtime outlives the timer.
  static Result<LaunchTimer> create(DeviceRuntime& runtime, int64_t launches,
                                    const std::function<Status(int64_t, Stream)>& enqueue);

  // Microseconds of one launch: those of the graph between two events, by the number of launches.
  Result<double> run_us();

 private:
  DeviceRuntime* runtime_ = nullptr;
  int64_t launches_ = 0;
  OwnedStream stream_;
  OwnedEvent before_, after_;
  OwnedGraph graph_;
};

}  // namespace yolocu::bench
