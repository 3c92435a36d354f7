// Work on the way into a graph: CUDA's stream capture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/emulation/operation_queue.h"

namespace yolocu::emulation {

// Work of a graph, and the earlier nodes that it waits for.
struct GraphNode {
  std::shared_ptr<const Work> work;
  std::vector<size_t> after;
  uint32_t lane = 0;
};

// What the captured streams share.
struct Capture {
  std::vector<GraphNode> nodes;
  std::thread::id thread = std::this_thread::get_id();  // that began it
  uint32_t first_lane = 0;                              // the stream that it began on
  Status spoilt = {};                                   // why there will be no graph
  bool is_over = false;
};

// Where one stream, or an event recorded on one, stands in a capture: what comes next waits for
// these nodes. No capture: it stands outside.
struct CapturePoint {
  std::shared_ptr<Capture> capture;
  std::vector<size_t> nodes;
};

// The stream waits for `other`, of the same capture, too.
void join(CapturePoint& stream, const CapturePoint& other);

// True if everything that `other` stands behind comes before `stream`.
bool is_joined(const CapturePoint& stream, const CapturePoint& other);

}  // namespace yolocu::emulation
