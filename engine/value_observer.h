// For tools that look at, or change, what a network computes between its layers: calibration and
// simulated quantization.
#pragma once

#include <cstdint>

#include "engine/plan/channel_layout.h"

namespace yolocu {

// A value of one picture that a step has just made. Channel c of pixel p = y * width + x is
// data[(position / block * height * width + p) * block + position % block], position =
// layout->position(c). Other positions are padding, and zero.
struct ObservedValue {
  int node = 0;
  float* data = nullptr;  // fp32, of padded_channels() * height * width elements
  int64_t block = 1, height = 0, width = 0;
  const ChannelLayout* layout = nullptr;
};

// Called by run(), on its thread, once a picture and a value, before anything reads the value. Seen
// are the values that are computed: not the input, views (concat, slice), predictions, nor a
// convolution that is fused into a sum, which never exists.
class ValueObserver {
 public:
  virtual ~ValueObserver() = default;
  // May change the numbers, but must leave padding zero.
  virtual void observe(const ObservedValue& value) = 0;
};

}  // namespace yolocu
