// What repeated measurements come to.
#pragma once

#include <cstdint>
#include <vector>

namespace yolocu {

// Of `iterations` times, in milliseconds. p99 is the nearest rank: the least time that at least 99
// % of all do not exceed; of fewer than 100 times it is the largest.
struct TimeSummary {
  double median_ms = 0;  // of an even number of times the mean of the middle two
  double min_ms = 0;
  double p99_ms = 0;
  int64_t iterations = 0;
};

// `times_ms` is not empty; its order does not matter.
TimeSummary summarize_times(std::vector<double> times_ms);

// How many runs of `run_ms` fit into `budget_ms`: at least `least`, at most 10,000.
int64_t iterations_for(double budget_ms, double run_ms, int64_t least);

}  // namespace yolocu
