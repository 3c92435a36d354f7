// What the values of a network look like on the pictures of a calibration: two passes, as a
// histogram needs the range.
#pragma once

#include <vector>

#include "engine/quantize/histogram.h"
#include "engine/value_observer.h"

namespace yolocu::quantize {

// The largest finite magnitude of each value.
class RangeRecorder final : public ValueObserver {
 public:
  explicit RangeRecorder(size_t nodes) : ranges_(nodes) {}
  void observe(const ObservedValue& value) override;
  const std::vector<float>& ranges() const { return ranges_; }  // by node; 0: nothing seen

 private:
  std::vector<float> ranges_;
};

// Histograms of all magnitudes but zeros of padding.
class HistogramRecorder final : public ValueObserver {
 public:
  explicit HistogramRecorder(const std::vector<float>& ranges);
  void observe(const ObservedValue& value) override;
  const std::vector<Histogram>& histograms() const { return histograms_; }  // by node

 private:
  std::vector<Histogram> histograms_;
};

}  // namespace yolocu::quantize
