// The choice of scales against the numbers themselves, not their histogram.
#include "engine/quantize/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/test_support.h"

namespace yolocu::quantize {
namespace {

// Magnitudes as activations have them: most are small, a few are large.
std::vector<float> long_tail(size_t count, uint64_t seed) {
  std::vector<float> values = testing::random_floats(count, seed);
  for (float& x : values) x = -std::log(1 - std::abs(x)) * (x < 0 ? -1.0f : 1.0f);
  return values;
}

Histogram histogram_of(const std::vector<float>& values) {
  Histogram h;
  for (const float x : values) h.range = std::max(h.range, std::abs(x));
  for (const float x : values) h.add(x);
  return h;
}

double squared_error(const std::vector<float>& values, double cut) {
  const double step = cut / 127;
  double sum = 0;
  for (const float x : values) {
    const double q = std::min(std::round(std::abs(double{x}) / step), 127.0);
    sum += std::pow(std::abs(double{x}) - q * step, 2);
  }
  return sum;
}

TEST(Histogram, CountsMagnitudesInEqualBins) {
  Histogram h{.range = 2};
  for (const float x : {0.0f, -0.0001f, 1.0f, -1.0f, 1.9999f, 2.0f, -5.0f, NAN, INFINITY}) h.add(x);
  EXPECT_EQ(h.counts[0], 2);
  EXPECT_EQ(h.counts[Histogram::kBins / 2], 2);
  EXPECT_EQ(h.counts[Histogram::kBins - 1], 5);
  EXPECT_EQ(h.total(), 9);
}

TEST(CutOff, OfNothingIsZero) {
  for (const Calibration c :
       {Calibration::kMse, Calibration::kPercentile, Calibration::kEntropy, Calibration::kMax}) {
    EXPECT_EQ(cut_off(Histogram(), c), 0) << calibration_name(c);
    EXPECT_EQ(cut_off({.range = 1}, c), 0) << calibration_name(c);
    EXPECT_GT(cut_off(histogram_of({0, 0, 3}), c), 0) << calibration_name(c);
  }
}

TEST(CutOff, MaxIsTheLargestMagnitude) {
  EXPECT_EQ(cut_off(histogram_of({1, -7, 3}), Calibration::kMax), 7);
}

TEST(CutOff, PercentileLeavesOneInTenThousandOut) {
  std::vector<float> values = long_tail(100000, 5);
  const float cut = cut_off(histogram_of(values), Calibration::kPercentile);
  for (float& x : values) x = std::abs(x);
  std::sort(values.begin(), values.end());
  const float bin = values.back() / Histogram::kBins;
  EXPECT_GE(cut, values[99989]);
  EXPECT_LE(cut, values[99990] + bin);
}

TEST(CutOff, MseIsTheLeastSquaredErrorOfTheNumbers) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const std::vector<float> values = long_tail(20000, seed);
    const Histogram h = histogram_of(values);
    double best = INFINITY;
    for (int i = 1; i <= 1000; ++i) {
      best = std::min(best, squared_error(values, double{h.range} * i / 1000));
    }
    const float cut = cut_off(h, Calibration::kMse);
    EXPECT_LT(cut, h.range);
    EXPECT_LE(squared_error(values, cut), 1.03 * best);
  }
}

TEST(CutOff, MseKeepsAllOfAnEvenDistribution) {
  std::vector<float> values = testing::random_floats(100000, 9);
  const Histogram h = histogram_of(values);
  EXPECT_GT(cut_off(h, Calibration::kMse), 0.98f * h.range);
}

// Of the distribution of `values` over bins up to `cut`, and of what 128 levels keep of it.
double divergence(const Histogram& h, int64_t used) {
  std::vector<double> p(static_cast<size_t>(used)), q(p.size());
  double beyond = 0, all = 0, kept = 0;
  for (int64_t i = 0; i < Histogram::kBins; ++i) {
    const auto count = static_cast<double>(h.counts[static_cast<size_t>(i)]);
    all += count;
    if (i < used)
      p[static_cast<size_t>(i)] = count;
    else
      beyond += count;
  }
  const auto level = [&](int64_t i) {  // the bins [level used / 128, (level + 1) used / 128)
    int64_t l = 0;
    while ((l + 1) * used / 128 <= i) ++l;
    return l;
  };
  std::vector<double> mass(128), filled(128);
  for (int64_t i = 0; i < used; ++i) {
    const auto l = static_cast<size_t>(level(i));
    const bool is_last = i + 1 == used;
    mass[l] += p[static_cast<size_t>(i)];
    filled[l] += p[static_cast<size_t>(i)] + (is_last ? beyond : 0) > 0 ? 1 : 0;
  }
  p.back() += beyond;
  for (int64_t i = 0; i < used; ++i) {
    const auto l = static_cast<size_t>(level(i)), b = static_cast<size_t>(i);
    q[b] = p[b] > 0 ? mass[l] / filled[l] : 0;
    kept += q[b];
  }
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) continue;
    if (q[i] == 0) return INFINITY;
    sum += p[i] / all * std::log(p[i] / all * kept / q[i]);
  }
  return sum;
}

TEST(CutOff, EntropyIsTheLeastDivergence) {
  const Histogram h = histogram_of(long_tail(20000, 4));
  const float cut = cut_off(h, Calibration::kEntropy);
  const int64_t chosen = std::lround(cut / h.range * Histogram::kBins);
  double best = INFINITY;
  for (int64_t used = Histogram::kBins / 16; used <= Histogram::kBins; used += 16) {
    best = std::min(best, divergence(h, used));
  }
  EXPECT_LE(divergence(h, chosen), best * (1 + 1e-9));
  EXPECT_LT(cut, h.range);
}

TEST(Calibration, NamesAreParsed) {
  for (const Calibration c :
       {Calibration::kMse, Calibration::kPercentile, Calibration::kEntropy, Calibration::kMax}) {
    const auto parsed = parse_calibration(calibration_name(c));
    ASSERT_OK(parsed);
    EXPECT_EQ(*parsed, c);
  }
  testing::expect_refused(parse_calibration("minmax").status(), StatusCode::kInvalidArgument,
                          "expected mse, percentile, entropy or max; got 'minmax'");
}

}  // namespace
}  // namespace yolocu::quantize
