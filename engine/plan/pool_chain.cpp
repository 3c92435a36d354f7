#include "engine/plan/pool_chain.h"

#include <map>

namespace yolocu {
namespace {

// The max pool at node i if it keeps its input's extent, else nullptr.
MaxPoolOp* same_size_pool(Node& node) {
  auto* pool = std::get_if<MaxPoolOp>(&node.op);
  const bool same = pool != nullptr && pool->stride == 1 && pool->kernel == 2 * pool->padding + 1;
  return same ? pool : nullptr;
}

}  // namespace

Graph chain_max_pools(Graph graph) {
  // (value, kernel) -> the node that pools it. Filled in order, so a node can only be chained to
  // one that comes before it.
  std::map<std::pair<int, int64_t>, int> pools;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    Node& node = graph.nodes[static_cast<size_t>(i)];
    MaxPoolOp* const pool = same_size_pool(node);
    if (pool == nullptr) continue;
    const std::pair<int, int64_t> whole{node.inputs[0], pool->kernel};
    const auto next = pools.lower_bound(whole);
    if (next != pools.begin()) {
      const auto& [smaller, source] = *std::prev(next);
      if (smaller.first == whole.first && smaller.second > 1) {
        pool->kernel = whole.second - smaller.second + 1;
        pool->padding = pool->kernel / 2;
        node.inputs[0] = source;
      }
    }
    pools.emplace(whole, i);
  }
  return graph;
}

}  // namespace yolocu
