// How far a changed network's predictions are from the original's.
#pragma once

#include <cstdint>
#include <span>

#include "weights/format/graph.h"

namespace yolocu::quantize {

// Sums over pictures, of which relative_error() is the quotient:
//   sum_a p_a^2 (1 - IoU_a) + sum_{a,c} max(p_ac, p'_ac) |p'_ac - p_ac|   over   sum_{a,c} p_ac^2
// a: anchors; p_ac, p'_ac: scores (objectness x class) before and after; p_a: the largest p_ac;
// IoU_a: of the two boxes. So each detection counts with its score and at most once or twice, and
// what no threshold would show hardly counts: squares of differences were tried, but a few boxes
// that jump outweigh all others.
struct PredictionError {
  double difference = 0, total = 0;

  // expected, actual: [anchors, row] of one picture, as Executor::output() has them. NaN makes the
  // error infinite.
  void add(std::span<const float> expected, std::span<const float> actual, const Op& decode,
           int64_t row);
  double relative_error() const;
};

}  // namespace yolocu::quantize
