// Oracle of decode: plain loops, sums in double. Shares nothing with the kernels but the problem
// structs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/base/half.h"
#include "kernels/decode/decode.h"
#include "tests/reference/nms.h"

namespace yolocu::testing {

// Logits of one level, dense: box [N,H,W,4*bins] or the head [N,H,W,anchors*(5+classes)]; classes
// [N,H,W,classes] of kDfl.
struct DecodeLogits {
  std::vector<float> box, classes;
};

// Of each element of the predictions [N, anchors, row]: its value, and the error that f32 and
// approximate exponentials may leave in it.
struct DecodeExpectation {
  std::vector<double> values, tolerances;
};

inline double plain_sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

// sum_j j * softmax(logits)_j; NaN if a logit is.
inline double plain_expected_bin(const float* logits, int64_t bins) {
  double peak = logits[0], total = 0, weighted = 0;
  for (int64_t j = 0; j < bins; ++j) peak = std::fmax(peak, double{logits[j]});
  for (int64_t j = 0; j < bins; ++j) {
    const double weight = std::exp(logits[j] - peak);
    total += weight;
    weighted += static_cast<double>(j) * weight;
  }
  return weighted / total;
}

inline void plain_dfl_level(DecodeExpectation& y, const DecodeProblem& problem,
                            int64_t level_number, int64_t n, const DecodeLogits& logits) {
  const DecodeLevel& level = problem.levels[static_cast<size_t>(level_number)];
  const double stride = level.stride;
  for (int64_t p = 0; p < level.height; ++p) {
    for (int64_t q = 0; q < level.width; ++q) {
      const int64_t pixel = (n * level.height + p) * level.width + q;
      double side[4];
      for (int64_t s = 0; s < 4; ++s) {
        side[s] = plain_expected_bin(
            &logits.box[static_cast<size_t>((pixel * 4 + s) * problem.bins)], problem.bins);
      }
      const double x = static_cast<double>(q) + 0.5, y0 = static_cast<double>(p) + 0.5;
      for (const double value : {x + (side[2] - side[0]) / 2, y0 + (side[3] - side[1]) / 2,
                                 side[0] + side[2], side[1] + side[3]}) {
        y.values.push_back(value * stride);
        y.tolerances.push_back(
            (2e-6 * static_cast<double>(problem.bins) + 1e-6 * std::fabs(value)) * stride);
      }
      for (int64_t c = 0; c < problem.classes; ++c) {
        y.values.push_back(plain_sigmoid(
            double{logits.classes[static_cast<size_t>(pixel * problem.classes + c)]}));
        y.tolerances.push_back(2e-6);
      }
    }
  }
}

inline void plain_anchor_row(DecodeExpectation& y, const DecodeProblem& problem,
                             const DecodeLevel& level, int64_t anchor, double q, double p,
                             const float* logits) {
  const auto s = [logits](int64_t i) { return plain_sigmoid(double{logits[i]}); };
  const double w = level.sizes[static_cast<size_t>(2 * anchor)];
  const double h = level.sizes[static_cast<size_t>(2 * anchor + 1)];
  const double stride = level.stride;
  y.values.insert(y.values.end(), {(2 * s(0) - 0.5 + q) * stride, (2 * s(1) - 0.5 + p) * stride,
                                   4 * s(2) * s(2) * w, 4 * s(3) * s(3) * h});
  y.tolerances.insert(y.tolerances.end(),
                      {(4e-6 + 1e-6 * q) * stride, (4e-6 + 1e-6 * p) * stride, 2e-5 * w, 2e-5 * h});
  const bool multiplied = problem.objectness == ObjectnessForm::kMultiplied;
  if (!multiplied) y.values.push_back(s(4));
  for (int64_t c = 0; c < problem.classes; ++c) {
    y.values.push_back(s(5 + c) * (multiplied ? s(4) : 1.0));
  }
  y.tolerances.resize(y.values.size(), 3e-6);
}

inline void plain_anchor_level(DecodeExpectation& y, const DecodeProblem& problem,
                               int64_t level_number, int64_t n, const DecodeLogits& logits) {
  const DecodeLevel& level = problem.levels[static_cast<size_t>(level_number)];
  const int64_t entries = 5 + problem.classes;
  for (int64_t a = 0; a < level.anchors; ++a) {
    for (int64_t p = 0; p < level.height; ++p) {
      for (int64_t q = 0; q < level.width; ++q) {
        const int64_t pixel = (n * level.height + p) * level.width + q;
        plain_anchor_row(y, problem, level, a, static_cast<double>(q), static_cast<double>(p),
                         &logits.box[static_cast<size_t>((pixel * level.anchors + a) * entries)]);
      }
    }
  }
}

// levels: the logits of each level.
inline DecodeExpectation reference_predictions(const DecodeProblem& problem,
                                               const std::vector<DecodeLogits>& levels) {
  DecodeExpectation y;
  for (int64_t n = 0; n < problem.batch; ++n) {
    for (int64_t i = 0; i < problem.level_count; ++i) {
      const DecodeLogits& logits = levels[static_cast<size_t>(i)];
      if (problem.head == DecodeHead::kDfl) {
        plain_dfl_level(y, problem, i, n, logits);
      } else {
        plain_anchor_level(y, problem, i, n, logits);
      }
    }
  }
  return y;
}

// The candidates that the rule makes of predictions [anchors, row] of one picture, those of kAnchor
// with a column of objectness. All of them, in the order of their indices; `wanted` by class.
inline std::vector<PlainCandidate> reference_candidates(const float* predictions,
                                                        const DecodeProblem& problem,
                                                        const CandidateRule& rule,
                                                        const std::vector<bool>& wanted) {
  const bool has_objectness = problem.head == DecodeHead::kAnchor;
  const int64_t first = has_objectness ? 5 : 4;
  const bool best_only = rule.labels == CandidateLabels::kBestClass;
  std::vector<PlainCandidate> candidates;
  for (int64_t anchor = 0; anchor < problem.anchors(); ++anchor) {
    const float* row = predictions + anchor * (first + problem.classes);
    if (has_objectness && !(row[4] > rule.confidence)) continue;
    std::vector<float> scores(row + first, row + first + problem.classes);
    if (has_objectness) {
      for (float& score : scores) score = problem.classes == 1 ? row[4] : score * row[4];
    }
    const bool has_nan =
        std::any_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); });
    if (has_nan && (!has_objectness || best_only)) continue;
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    for (int64_t c = 0; c < problem.classes; ++c) {
      const float score = scores[static_cast<size_t>(c)];
      if (!(score > rule.confidence) || (best_only && c != best)) continue;
      if (!wanted[static_cast<size_t>(c)]) continue;
      const float w = row[2] / 2, h = row[3] / 2;
      candidates.push_back(
          {{row[0] - w, row[1] - h, row[0] + w, row[1] + h}, score, anchor * problem.classes + c});
    }
  }
  return candidates;
}

}  // namespace yolocu::testing
