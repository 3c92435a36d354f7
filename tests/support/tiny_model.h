// A model small enough to compute by hand.
#pragma once

#include <memory>

#include "tests/support/test_support.h"
#include "weights/format/model.h"

namespace yolocu::testing {

// Stride 2, default size 8. stem: sums each 2x2 patch of all channels, halved, into 2 channels;
// box: 8 zero logits (2 bins a side); class: 1 + stem[k] for 2 classes.
std::shared_ptr<const Model> tiny_model();

// The same picture with a YOLOv7 head that ignores it: one anchor of 4x4 pixels a cell of 2x2, two
// classes; every cell predicts itself at twice its size, objectness 1/2, classes 1/2 and 1.
std::shared_ptr<const Model> tiny_anchor_model();

}  // namespace yolocu::testing
