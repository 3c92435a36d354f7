// Device code of space_to_depth. Formula and arguments: space_to_depth.h.
#pragma once

#include <cstdint>

#include "kernels/channel_vector.cuh"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// Bits: an integer of an element's size. x and y point to the first channel of their views.
template <typename Bits>
struct SpaceToDepthArguments {
  device::GlobalPtr<Bits> y;
  device::GlobalPtr<const Bits> x;
  int32_t width, channels;  // of x
  int32_t padding;          // channels of zeros behind those of all blocks
  int32_t pixels;           // N*H*W
  int32_t x_pixel_stride, y_pixel_stride;
};

// A thread moves kCount channels of a pixel of x; those of the last block also write the padding,
// as if it were channels that x does not have. Launched by pixel_tile(), no shared memory.
template <typename Bits, int kCount>
YOLOCU_KERNEL space_to_depth_kernel(YOLOCU_KERNEL_PARAM SpaceToDepthArguments<Bits> arguments) {
  const auto move = [&arguments]<int kWidth>(int pixel, int channel) {
    using Vector = ChannelVector<Bits, kWidth>;
    const int w = pixel % arguments.width;
    const int row = pixel / arguments.width;  // of all pictures: H is even
    const int block = w % 2 * 2 + row % 2;
    const bool is_padding = channel >= arguments.channels;
    if (is_padding && block != 3) return;
    Vector vector = {};
    if (!is_padding) {
      vector =
          arguments.x.template load<Vector>(int64_t{pixel} * arguments.x_pixel_stride + channel);
    }
    const int64_t out = int64_t{row / 2} * (arguments.width / 2) + w / 2;
    arguments.y.template store<Vector>(
        out * arguments.y_pixel_stride + int64_t{block} * arguments.channels + channel, vector);
  };
  for_each_run<kCount>(arguments.pixels, arguments.channels + arguments.padding, move);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
