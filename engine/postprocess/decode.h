// Head outputs to prediction rows, on the host. Formulas: DecodeDflOp and DecodeAnchorOp.
#pragma once

#include <cstdint>
#include <span>

#include "weights/format/graph.h"

namespace yolocu {

// A head output [batch, height, width, channels] f32, dense NHWC but for its pixel stride.
struct HeadView {
  const float* data = nullptr;
  int64_t height = 0, width = 0, channels = 0;
  int64_t pixel_stride = 0;  // elements from one pixel to the next, >= channels
  int64_t image_stride = 0;  // elements from one picture to the next
};

// out [batch, anchors, 4 + classes]; heads: box_0, class_0, box_1, class_1, ...
void decode_dfl(std::span<float> out, const DecodeDflOp& op, std::span<const HeadView> heads,
                int64_t batch);

// out [batch, anchors, 5 + classes]; heads: one a level.
void decode_anchor(std::span<float> out, const DecodeAnchorOp& op, std::span<const HeadView> heads,
                   int64_t batch);

}  // namespace yolocu
