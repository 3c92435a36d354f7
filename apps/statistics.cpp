#include "apps/statistics.h"

#include <algorithm>
#include <cassert>

namespace yolocu {

TimeSummary summarize_times(std::vector<double> times_ms) {
  assert(!times_ms.empty());
  std::sort(times_ms.begin(), times_ms.end());
  const size_t count = times_ms.size();
  const size_t rank = (99 * count + 99) / 100;  // ceil(0.99 * count), in 1..count
  return {.median_ms = (times_ms[(count - 1) / 2] + times_ms[count / 2]) / 2,
          .min_ms = times_ms.front(),
          .p99_ms = times_ms[rank - 1],
          .iterations = static_cast<int64_t>(count)};
}

int64_t iterations_for(double budget_ms, double run_ms, int64_t least) {
  constexpr int64_t kMost = 10'000;
  if (run_ms * kMost <= budget_ms) return kMost;
  return std::max(least, static_cast<int64_t>(budget_ms / run_ms));
}

}  // namespace yolocu
