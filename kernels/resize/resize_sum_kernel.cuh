// Device code of resize_sum. Formula and arguments: resize_sum.h.
#pragma once

#include <cstdint>

#include "kernels/channel_vector.cuh"
#include "kernels/resize/resize_sum.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// x points to the first channel of its view.
template <typename T>
struct ResizeSource {
  device::GlobalPtr<const T> x;
  int32_t height, width, pixel_stride;
};

template <typename T>
struct ResizeSumArguments {
  device::GlobalPtr<T> y;  // first channel of the view
  int32_t out_height, out_width, channels, y_pixel_stride;
  int32_t pixels;  // N*P*Q
  int32_t count;
  ResizeSource<T> sources[kMostResizeInputs];
};

// floor(coordinate * in / out), for extents of at most 65536.
YOLOCU_DEVICE int nearest_coordinate(int coordinate, int in, int out) {
  if (in == out) return coordinate;
  return static_cast<int>(static_cast<uint32_t>(coordinate) * static_cast<uint32_t>(in) /
                          static_cast<uint32_t>(out));
}

// kWidth channels of one pixel of y.
template <int kWidth, typename T>
YOLOCU_DEVICE void resize_sum_run(const ResizeSumArguments<T>& arguments, int pixel, int channel) {
  const int q = pixel % arguments.out_width;
  const int p = pixel / arguments.out_width % arguments.out_height;
  const int n = pixel / arguments.out_width / arguments.out_height;
  float sum[kWidth] = {};
  for (int i = 0; i < arguments.count; ++i) {
    const ResizeSource<T>& source = arguments.sources[i];
    const int h = nearest_coordinate(p, source.height, arguments.out_height);
    const int w = nearest_coordinate(q, source.width, arguments.out_width);
    const int64_t at = int64_t{n * source.height + h} * source.width + w;
    float x[kWidth];
    load_numbers(x, source.x, at * source.pixel_stride + channel);
    YOLOCU_UNROLL
    for (int c = 0; c < kWidth; ++c) sum[c] = i == 0 ? x[c] : sum[c] + x[c];  // 0 + -0 is not -0
  }
  store_numbers(arguments.y, int64_t{pixel} * arguments.y_pixel_stride + channel, sum);
}

// A thread makes kCount channels of a pixel of y. Launched by pixel_tile(), no shared memory.
template <typename T, int kCount>
YOLOCU_KERNEL resize_sum_kernel(YOLOCU_KERNEL_PARAM ResizeSumArguments<T> arguments) {
  for_each_run<kCount>(arguments.pixels, arguments.channels,
                       [&arguments]<int kWidth>(int pixel, int channel) {
                         resize_sum_run<kWidth>(arguments, pixel, channel);
                       });
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
