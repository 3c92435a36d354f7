#include "engine/quantize/histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>

#include "engine/base/str_cat.h"

namespace yolocu::quantize {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"mse", "percentile", "entropy", "max"};
constexpr int64_t kLevels = 127;
constexpr double kKeptFraction = 0.9999;
// Cut-offs that are tried: multiples of the range / 256, and bins / 4096 * 16 for the entropy.
constexpr int64_t kCandidates = 256;

double bin_width(const Histogram& h) {
  return double{h.range} / Histogram::kBins;
}

// The sum of squared errors of bin centres, rounded to multiples of cut_off / 127 and saturated.
double squared_error(const Histogram& h, double cut_off) {
  const double step = cut_off / kLevels, width = bin_width(h);
  double sum = 0;
  for (size_t i = 0; i < h.counts.size(); ++i) {
    if (h.counts[i] == 0) continue;
    const double x = (static_cast<double>(i) + 0.5) * width;
    const double error = x - std::min(std::nearbyint(x / step), double{kLevels}) * step;
    sum += static_cast<double>(h.counts[i]) * error * error;
  }
  return sum;
}

template <typename Cost>
float cheapest(const Histogram& h, const Cost& cost) {
  double best = INFINITY, chosen = h.range;
  for (int64_t i = kCandidates; i >= kCandidates / 16; --i) {
    const double candidate = double{h.range} * static_cast<double>(i) / kCandidates;
    const double price = cost(candidate);
    if (price < best) {
      best = price;
      chosen = candidate;
    }
  }
  return static_cast<float>(chosen);
}

float percentile(const Histogram& h) {
  const double wanted = kKeptFraction * static_cast<double>(h.total());
  double seen = 0;
  for (size_t i = 0; i < h.counts.size(); ++i) {
    seen += static_cast<double>(h.counts[i]);
    if (seen >= wanted) return static_cast<float>(static_cast<double>(i + 1) * bin_width(h));
  }
  return h.range;
}

// Of the first `used` bins, whose last also takes all beyond, and of what remains of them in
// kLevels + 1 groups, each spread evenly over its bins that are not empty.
double divergence(const Histogram& h, size_t used) {
  std::vector<double> p(h.counts.begin(), h.counts.begin() + static_cast<std::ptrdiff_t>(used));
  std::vector<double> kept = p;
  p.back() += static_cast<double>(std::accumulate(
      h.counts.begin() + static_cast<std::ptrdiff_t>(used), h.counts.end(), int64_t{0}));
  constexpr size_t kGroups = kLevels + 1;
  double sum_p = 0, sum_q = 0;
  std::vector<double> q(used);
  for (size_t g = 0; g < kGroups; ++g) {
    const size_t begin = g * used / kGroups, end = (g + 1) * used / kGroups;
    double mass = 0, filled = 0;
    for (size_t i = begin; i < end; ++i) {
      mass += kept[i];
      filled += p[i] > 0 ? 1 : 0;
    }
    for (size_t i = begin; i < end; ++i) q[i] = p[i] > 0 ? mass / filled : 0;
  }
  for (size_t i = 0; i < used; ++i) {
    sum_p += p[i];
    sum_q += q[i];
  }
  if (sum_q == 0) return INFINITY;
  double divergence = 0;
  for (size_t i = 0; i < used; ++i) {
    if (p[i] == 0) continue;
    if (q[i] == 0) return INFINITY;
    divergence += p[i] / sum_p * std::log(p[i] / sum_p / (q[i] / sum_q));
  }
  return divergence;
}

}  // namespace

std::string_view calibration_name(Calibration calibration) {
  return kNames[static_cast<size_t>(calibration)];
}

Result<Calibration> parse_calibration(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<Calibration>(found - kNames.begin());
  return invalid_argument(str_cat("expected mse, percentile, entropy or max; got '", name, "'"));
}

void Histogram::add(float x) {
  const float place = std::abs(x) / range * kBins;
  const bool inside = place < static_cast<float>(kBins);  // not NaN either
  ++counts[inside ? static_cast<size_t>(place) : counts.size() - 1];
}

int64_t Histogram::total() const {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

float cut_off(const Histogram& h, Calibration calibration) {
  if (!(h.range > 0) || h.total() == 0) return 0;
  switch (calibration) {
    case Calibration::kMse: return cheapest(h, [&](double c) { return squared_error(h, c); });
    case Calibration::kPercentile: return percentile(h);
    case Calibration::kEntropy:
      return cheapest(h, [&](double c) {
        return divergence(h, static_cast<size_t>(std::lround(c / bin_width(h))));
      });
    case Calibration::kMax: break;
  }
  return h.range;
}

}  // namespace yolocu::quantize
