// Where to cut off a value's magnitudes before they become int8: the choice of its scale.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "yolocu/status.h"

namespace yolocu::quantize {

// kMse: the least expected squared error of rounding and saturating. kPercentile: all but one in
// 10,000 magnitudes fit. kEntropy: the least Kullback-Leibler divergence of what 128 levels keep of
// the distribution (Migacz, "8-bit inference with TensorRT", GTC 2017). kMax: nothing saturates.
enum class Calibration : uint8_t { kMse, kPercentile, kEntropy, kMax };

// "mse", "percentile", "entropy", "max".
std::string_view calibration_name(Calibration calibration);
Result<Calibration> parse_calibration(std::string_view name);

// Counts of magnitudes |x| in kBins bins of equal width that cover [0, range].
struct Histogram {
  static constexpr int64_t kBins = 4096;
  float range = 0;  // the largest magnitude
  std::vector<int64_t> counts = std::vector<int64_t>(kBins);

  // Counts |x|; one beyond the range, or NaN, goes to the last bin.
  void add(float x);
  int64_t total() const;
};

// The magnitude that int8's 127 shall stand for; in (0, range], or 0 if the range or all counts
// are 0. Deterministic.
float cut_off(const Histogram& histogram, Calibration calibration);

}  // namespace yolocu::quantize
