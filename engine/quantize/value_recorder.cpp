#include "engine/quantize/value_recorder.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace yolocu::quantize {

void RangeRecorder::observe(const ObservedValue& value) {
  const int64_t elements = value.layout->padded_channels() * value.height * value.width;
  float& range = ranges_[static_cast<size_t>(value.node)];
  for (int64_t i = 0; i < elements; ++i) {
    const float magnitude = std::abs(value.data[i]);
    if (magnitude <= std::numeric_limits<float>::max()) range = std::max(range, magnitude);
  }
}

HistogramRecorder::HistogramRecorder(const std::vector<float>& ranges)
    : histograms_(ranges.size()) {
  for (size_t i = 0; i < ranges.size(); ++i) histograms_[i].range = ranges[i];
}

void HistogramRecorder::observe(const ObservedValue& value) {
  Histogram& histogram = histograms_[static_cast<size_t>(value.node)];
  if (!(histogram.range > 0)) return;
  const int64_t pixels = value.height * value.width, block = value.block;
  for (const ChannelSegment& segment : value.layout->segments()) {
    for (int64_t begin = segment.position; begin < segment.position + segment.count;
         begin += block) {
      const int64_t channels = std::min(block, segment.position + segment.count - begin);
      const float* pixel = value.data + begin / block * pixels * block;
      for (int64_t p = 0; p < pixels; ++p, pixel += block) {
        for (int64_t c = 0; c < channels; ++c) histogram.add(pixel[c]);
      }
    }
  }
}

}  // namespace yolocu::quantize
