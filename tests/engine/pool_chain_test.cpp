#include "engine/plan/pool_chain.h"

#include <gtest/gtest.h>

namespace yolocu {
namespace {

MaxPoolOp same_size(int64_t kernel) {
  return {.kernel = kernel, .stride = 1, .padding = kernel / 2};
}

// The input, then pools of it.
Graph parallel(const std::vector<MaxPoolOp>& pools) {
  Graph graph;
  graph.nodes.push_back({"input", {}, InputOp{}});
  for (const MaxPoolOp& pool : pools) graph.nodes.push_back({"pool", {0}, pool});
  return graph;
}

struct Chained {
  int input;
  int64_t kernel, padding;
  friend bool operator==(const Chained&, const Chained&) = default;
};

std::vector<Chained> chained(const std::vector<MaxPoolOp>& pools) {
  const Graph graph = chain_max_pools(parallel(pools));
  std::vector<Chained> result;
  for (size_t i = 1; i < graph.nodes.size(); ++i) {
    const auto& pool = std::get<MaxPoolOp>(graph.nodes[i].op);
    result.push_back({graph.nodes[i].inputs[0], pool.kernel, pool.padding});
  }
  return result;
}

TEST(PoolChain, SppBecomesThreeOfOneKind) {
  EXPECT_EQ(chained({same_size(5), same_size(9), same_size(13)}),
            (std::vector<Chained>{{0, 5, 2}, {1, 5, 2}, {2, 5, 2}}));
}

// A pool can only read one that comes before it.
TEST(PoolChain, OrderIsKept) {
  EXPECT_EQ(chained({same_size(13), same_size(5), same_size(9)}),
            (std::vector<Chained>{{0, 13, 6}, {0, 5, 2}, {2, 5, 2}}));
}

TEST(PoolChain, OthersStay) {
  const MaxPoolOp down{.kernel = 3, .stride = 2, .padding = 1};
  const MaxPoolOp valid{.kernel = 5, .stride = 1, .padding = 0};
  EXPECT_EQ(chained({same_size(5), down, valid, same_size(5)}),
            (std::vector<Chained>{{0, 5, 2}, {0, 3, 1}, {0, 5, 0}, {0, 5, 2}}));
  EXPECT_EQ(chained({same_size(1), same_size(3)}), (std::vector<Chained>{{0, 1, 0}, {0, 3, 1}}));
}

}  // namespace
}  // namespace yolocu
