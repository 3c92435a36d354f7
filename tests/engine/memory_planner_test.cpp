#include "engine/plan/memory_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace yolocu {
namespace {

// Peak of the live bytes, step by step: an oracle for the lower bound.
int64_t peak_by_steps(const std::vector<BufferRequest>& requests) {
  int64_t peak = 0;
  int last_step = 0;
  for (const BufferRequest& r : requests) last_step = std::max(last_step, r.last);
  for (int step = 0; step <= last_step; ++step) {
    int64_t live = 0;
    for (const BufferRequest& r : requests) {
      if (r.first <= step && step <= r.last) live += r.size_bytes;
    }
    peak = std::max(peak, live);
  }
  return peak;
}

// Everything a plan promises, for any requests.
void expect_valid(const ArenaPlan& plan, const std::vector<BufferRequest>& requests,
                  int64_t alignment) {
  ASSERT_EQ(plan.offsets.size(), requests.size());
  EXPECT_EQ(plan.lower_bound_bytes, peak_by_steps(requests));
  EXPECT_GE(plan.size_bytes, plan.lower_bound_bytes);
  int64_t end = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const BufferRequest& a = requests[i];
    EXPECT_GE(plan.offsets[i], 0);
    EXPECT_EQ(plan.offsets[i] % alignment, 0) << "buffer " << i;
    if (a.size_bytes == 0) {
      EXPECT_EQ(plan.offsets[i], 0) << "buffer " << i;
      continue;
    }
    end = std::max(end, plan.offsets[i] + a.size_bytes);
    for (size_t j = 0; j < i; ++j) {
      const BufferRequest& b = requests[j];
      if (b.size_bytes == 0 || a.last < b.first || b.last < a.first) continue;
      const bool apart = plan.offsets[i] + a.size_bytes <= plan.offsets[j] ||
                         plan.offsets[j] + b.size_bytes <= plan.offsets[i];
      EXPECT_TRUE(apart) << "buffers " << j << " and " << i << " overlap while both are live";
    }
  }
  EXPECT_EQ(plan.size_bytes, end);
}

TEST(MemoryPlanner, NothingNeedsNoArena) {
  const ArenaPlan plan = plan_arena({}, 64);
  EXPECT_TRUE(plan.offsets.empty());
  EXPECT_EQ(plan.size_bytes, 0);
  EXPECT_EQ(plan.lower_bound_bytes, 0);
}

TEST(MemoryPlanner, AChainAlternatesBetweenTwoPlaces) {
  const std::vector<BufferRequest> chain = {{100, 0, 1}, {100, 1, 2}, {100, 2, 3}, {100, 3, 4}};
  const ArenaPlan plan = plan_arena(chain, 1);
  expect_valid(plan, chain, 1);
  EXPECT_EQ(plan.size_bytes, 200);
  EXPECT_EQ(plan.offsets, (std::vector<int64_t>{0, 100, 0, 100}));
}

TEST(MemoryPlanner, LifetimesThatShareOneStepDoNotShareMemory) {
  const std::vector<BufferRequest> touching = {{8, 0, 3}, {8, 3, 5}};
  EXPECT_EQ(plan_arena(touching, 1).size_bytes, 16);
  const std::vector<BufferRequest> apart = {{8, 0, 2}, {8, 3, 5}};
  EXPECT_EQ(plan_arena(apart, 1).size_bytes, 8);
}

TEST(MemoryPlanner, FillsTheGapUnderALongLivedBuffer) {
  // 300 lies below 200 while both live; when it is gone, 100 and then 150 use its place.
  const std::vector<BufferRequest> requests = {{300, 0, 1}, {200, 1, 9}, {150, 3, 9}, {100, 4, 6}};
  const ArenaPlan plan = plan_arena(requests, 1);
  expect_valid(plan, requests, 1);
  EXPECT_EQ(plan.size_bytes, 500);
  EXPECT_EQ(plan.offsets, (std::vector<int64_t>{0, 300, 0, 150}));
}

TEST(MemoryPlanner, AGapOfExactlyTheSizeIsUsed) {
  const std::vector<BufferRequest> requests = {{64, 0, 0}, {64, 0, 9}, {64, 5, 9}};
  const ArenaPlan plan = plan_arena(requests, 64);
  expect_valid(plan, requests, 64);
  EXPECT_EQ(plan.size_bytes, 128);
}

TEST(MemoryPlanner, OffsetsAreAligned) {
  const std::vector<BufferRequest> requests = {{65, 0, 0}, {3, 0, 0}, {1, 0, 0}};
  const ArenaPlan plan = plan_arena(requests, 64);
  expect_valid(plan, requests, 64);
  EXPECT_EQ(plan.offsets, (std::vector<int64_t>{0, 128, 192}));
  EXPECT_EQ(plan.size_bytes, 193);
}

TEST(MemoryPlanner, EmptyBuffersTakeNoRoom) {
  const std::vector<BufferRequest> requests = {{0, 0, 9}, {10, 0, 9}, {0, 3, 3}};
  const ArenaPlan plan = plan_arena(requests, 16);
  expect_valid(plan, requests, 16);
  EXPECT_EQ(plan.size_bytes, 10);
}

TEST(MemoryPlanner, LargeSizesDoNotOverflow) {
  const int64_t size = int64_t{1} << 40;
  const std::vector<BufferRequest> requests = {{size, 0, 1}, {size, 1, 2}, {size, 0, 2}};
  EXPECT_EQ(plan_arena(requests, 4096).size_bytes, 3 * size);
}

TEST(MemoryPlanner, RandomPlansAreValidAndTheSameEachTime) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto pick = [&](int low, int high) {
      return std::uniform_int_distribution<int>(low, high)(random);
    };
    std::vector<BufferRequest> requests(static_cast<size_t>(pick(1, 40)));
    for (BufferRequest& r : requests) {
      r.size_bytes = pick(0, 5) == 0 ? 0 : pick(1, 1000);
      r.first = pick(0, 30);
      r.last = r.first + pick(0, 10);
    }
    const int64_t alignment = int64_t{1} << pick(0, 8);
    const ArenaPlan plan = plan_arena(requests, alignment);
    expect_valid(plan, requests, alignment);
    EXPECT_EQ(plan_arena(requests, alignment).offsets, plan.offsets);
    if (HasFailure()) return;
  }
}

// The lifetimes of a residual network: each block's input stays for the sum at its end.
TEST(MemoryPlanner, ResidualBlocksReachTheLowerBound) {
  std::vector<BufferRequest> requests;
  for (int block = 0; block < 10; ++block) {
    const int step = 3 * block;
    requests.push_back({1024, step, step + 3});      // block input
    requests.push_back({512, step + 1, step + 2});   // bottleneck
    requests.push_back({1024, step + 2, step + 3});  // branch
  }
  const ArenaPlan plan = plan_arena(requests, 64);
  expect_valid(plan, requests, 64);
  EXPECT_LE(plan.size_bytes, plan.lower_bound_bytes + 512);
}

}  // namespace
}  // namespace yolocu
