#include "engine/quantize/prediction_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <variant>

namespace yolocu::quantize {
namespace {

// Centre and size.
double intersection_over_union(const float* a, const float* b) {
  const auto overlap = [&](int axis) {
    const double low = std::max(a[axis] - a[axis + 2] / 2, b[axis] - b[axis + 2] / 2);
    const double high = std::min(a[axis] + a[axis + 2] / 2, b[axis] + b[axis + 2] / 2);
    return std::max(high - low, 0.0);
  };
  const double common = overlap(0) * overlap(1);
  const double all = double{a[2]} * a[3] + double{b[2]} * b[3] - common;
  return all > 0 ? common / all : 1;
}

}  // namespace

void PredictionError::add(std::span<const float> expected, std::span<const float> actual,
                          const Op& decode, int64_t row) {
  const bool has_objectness = std::holds_alternative<DecodeAnchorOp>(decode);
  const int64_t first_class = has_objectness ? 5 : 4;
  for (size_t at = 0; at < expected.size(); at += static_cast<size_t>(row)) {
    const float* const p = &expected[at];
    const float* const q = &actual[at];
    double largest = 0;
    for (int64_t c = first_class; c < row; ++c) {
      const double score = double{p[c]} * (has_objectness ? p[4] : 1.0f);
      const double changed = double{q[c]} * (has_objectness ? q[4] : 1.0f);
      largest = std::max(largest, score);
      difference += std::max(score, changed) * std::abs(changed - score);
      total += score * score;
    }
    const bool is_box = std::isfinite(q[0] + q[1] + q[2] + q[3]);
    difference += is_box ? largest * largest * (1 - intersection_over_union(p, q)) : NAN;
  }
}

double PredictionError::relative_error() const {
  if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
  return total > 0 ? difference / total : 0;
}

}  // namespace yolocu::quantize
