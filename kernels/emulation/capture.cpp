#include "kernels/emulation/capture.h"

#include <algorithm>

namespace yolocu::emulation {

void join(CapturePoint& stream, const CapturePoint& other) {
  for (const size_t node : other.nodes) {
    if (std::find(stream.nodes.begin(), stream.nodes.end(), node) == stream.nodes.end()) {
      stream.nodes.push_back(node);
    }
  }
}

bool is_joined(const CapturePoint& stream, const CapturePoint& other) {
  const std::vector<GraphNode>& nodes = stream.capture->nodes;
  std::vector<char> comes_before(nodes.size());
  for (const size_t node : stream.nodes) comes_before[node] = 1;
  for (size_t i = nodes.size(); i-- > 0;) {  // nodes wait for earlier ones only
    if (comes_before[i] == 0) continue;
    for (const size_t node : nodes[i].after) comes_before[node] = 1;
  }
  return std::all_of(other.nodes.begin(), other.nodes.end(),
                     [&](size_t node) { return comes_before[node] != 0; });
}

}  // namespace yolocu::emulation
