// From a floating-point model, scales of its values and a choice of convolutions to a quantized
// model.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu::quantize {

// Values that lie in one buffer or keep each other's numbers (concat, slice, pools, upsample), and
// the convolutions that read any of them. They are int8 together, or not at all.
struct Int8Unit {
  std::vector<int> values;        // numbers of nodes, ascending
  std::vector<int> convolutions;  // at least one
};

// What can be int8, by the first value. Not the picture, nor what heads hold, nor the convolutions
// on these.
std::vector<Int8Unit> plan_int8_units(const Graph& graph);

// units: those of plan_int8_units that become int8. cut_offs: by node, the magnitude that 127
// stands for.
// Weights are rounded to 127 levels of each output channel's largest magnitude, after the scales of
// the input's channels are folded into them. What stays floating point is shared with `model`,
// which must not be quantized.
Result<std::shared_ptr<const Model>> make_int8_model(std::shared_ptr<const Model> model,
                                                     std::span<const Int8Unit> units,
                                                     const std::vector<float>& cut_offs);

}  // namespace yolocu::quantize
