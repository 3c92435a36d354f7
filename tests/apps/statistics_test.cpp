#include "apps/statistics.h"

#include <gtest/gtest.h>

#include <numeric>

namespace yolocu {
namespace {

TEST(Statistics, OneTimeIsEverything) {
  const TimeSummary s = summarize_times({2.5});
  EXPECT_EQ(s.median_ms, 2.5);
  EXPECT_EQ(s.min_ms, 2.5);
  EXPECT_EQ(s.p99_ms, 2.5);
  EXPECT_EQ(s.iterations, 1);
}

TEST(Statistics, OrderDoesNotMatter) {
  const TimeSummary odd = summarize_times({9, 1, 4});
  EXPECT_EQ(odd.median_ms, 4);
  EXPECT_EQ(odd.min_ms, 1);
  EXPECT_EQ(odd.p99_ms, 9);
  EXPECT_EQ(summarize_times({9, 1, 4, 2}).median_ms, 3);
}

// 1, 2, ... n: the k-th smallest is k.
double p99_of_first(size_t count) {
  std::vector<double> times(count);
  std::iota(times.rbegin(), times.rend(), 1.0);
  return summarize_times(times).p99_ms;
}

TEST(Statistics, P99IsTheNearestRank) {
  EXPECT_EQ(p99_of_first(99), 99);
  EXPECT_EQ(p99_of_first(100), 99);
  EXPECT_EQ(p99_of_first(101), 100);
  EXPECT_EQ(p99_of_first(200), 198);
  EXPECT_EQ(p99_of_first(1000), 990);
}

TEST(Statistics, IterationsFitTheBudget) {
  EXPECT_EQ(iterations_for(3000, 10, 20), 300);
  EXPECT_EQ(iterations_for(3000, 1000, 20), 20);
  EXPECT_EQ(iterations_for(3000, 5000, 1), 1);
  EXPECT_EQ(iterations_for(3000, 0.001, 20), 10'000);
  EXPECT_EQ(iterations_for(3000, 0, 20), 10'000);
}

}  // namespace
}  // namespace yolocu
