// All predictions of all pictures. Formulas and tensors: decode.h.
#pragma once

#include "kernels/decode/decode_row.cuh"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// A warp decodes an anchor, then the one a grid further on.
// grid and block of decode_launch, no shared memory.
template <typename T, DecodeHead kHead>
YOLOCU_KERNEL decode_predictions_kernel(YOLOCU_KERNEL_PARAM DecodeArguments<T> arguments,
                                        YOLOCU_KERNEL_PARAM PredictionArguments target) {
  device::wait_for_prior_grids();
  device::allow_next_grid();
  const auto lane = static_cast<int>(device::lane());
  const int64_t count = int64_t{arguments.batch} * arguments.anchors;
  const WarpOfGrid warp = warp_of_grid();
  for (int64_t i = warp.number; i < count; i += warp.count) {
    const auto row =
        row_of<kHead>(arguments, i / arguments.anchors, static_cast<int>(i % arguments.anchors));
    const auto out = target.predictions + i * target.row;  // [row]
    const CentreBox box = box_of(row);
    if (lane == 0) out.store(0, box.cx);
    if (lane == 1) out.store(1, box.cy);
    if (lane == 2) out.store(2, box.w);
    if (lane == 3) out.store(3, box.h);
    int first = 4;
    float factor = 1.0f;
    if constexpr (kHead == DecodeHead::kAnchor) {
      const float objectness = sigmoid(row.objectness_logit());
      if (target.objectness == ObjectnessForm::kMultiplied) {
        factor = objectness;
      } else {
        if (lane == 0) out.store(4, objectness);
        first = 5;
      }
    }
    for (int c = lane; c < arguments.classes; c += device::kWarpSize) {
      out.store(first + c, sigmoid(row.class_logit(c)) * factor);
    }
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
