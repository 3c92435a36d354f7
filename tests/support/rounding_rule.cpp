#include "tests/support/rounding_rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace yolocu::testing {
namespace {

struct Spread {
  double mean = 0, p99 = 0;
};

// NaN would hide in a sorted list: it counts as infinity.
Spread spread_of(std::vector<double> errors) {
  for (double& error : errors) {
    if (std::isnan(error)) error = INFINITY;
  }
  std::sort(errors.begin(), errors.end());
  Spread spread;
  for (const double error : errors) spread.mean += error / static_cast<double>(errors.size());
  spread.p99 = errors[errors.size() * 99 / 100];
  return spread;
}

// Of the measured spread.
Spread quotient(const Spread& actual, const nlohmann::json& measured) {
  return {actual.mean / measured["mean"].get<double>(), actual.p99 / measured["p99"].get<double>()};
}

}  // namespace

RoundingQuotients expect_half_predictions(const std::string& name, const NpyArray& rows,
                                          std::span<const float> actual,
                                          const nlohmann::json& errors) {
  EXPECT_EQ(rows.values.size(), actual.size());
  if (rows.values.size() != actual.size()) return {};
  std::vector<double> boxes, scores;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = std::abs(double{actual[i]} - double{rows.values[i]});
    (i % static_cast<size_t>(rows.shape[2]) < 4 ? boxes : scores).push_back(error);
  }
  const Spread box = quotient(spread_of(boxes), errors["fp16_emulation_box"]);
  const Spread score = quotient(spread_of(scores), errors["fp16_emulation_score"]);
  std::printf("%-40s of measured rounding: box mean %.2f p99 %.2f, score mean %.2f p99 %.2f\n",
              name.c_str(), box.mean, box.p99, score.mean, score.p99);
  constexpr double kMost = 3;
  for (const double value : {box.mean, box.p99, score.mean, score.p99}) {
    EXPECT_TRUE(value <= kMost) << name << ": " << value << " times the measured rounding";
    EXPECT_GT(value, 0.01) << name << ": a device that does not round was tested";
  }
  return {box.mean, box.p99, score.mean, score.p99};
}

}  // namespace yolocu::testing
