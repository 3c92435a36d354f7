// A part of the channels of an NHWC buffer.
#pragma once

#include <cstdint>

namespace yolocu {

// A run of channels of an NHWC buffer, such as one part of a concat: channel c of pixel p is
// element p * pixel_stride + offset + c.
struct ChannelView {
  int64_t pixel_stride = 0;
  int64_t offset = 0;
};

}  // namespace yolocu
