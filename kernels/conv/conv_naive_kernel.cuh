// The convolution that the others are judged by. Formula and tensors: conv.h.
#pragma once

#include "kernels/conv/conv_epilogue.cuh"
#include "kernels/device/scalar.h"
#include "kernels/device/threads.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// The sum over r, s, c (in this order, f32, every step fused) of output channel k, of all groups.
template <typename T>
YOLOCU_DEVICE float naive_sum(const ConvArguments<T>& arguments, int pixel, int k) {
  const ConvShape& shape = arguments.shape;
  const int q = pixel % shape.out_width;
  const int p = pixel / shape.out_width % shape.out_height;
  const int n = pixel / shape.out_width / shape.out_height;
  const int first_channel = k / shape.out_channels * shape.channels;
  float sum = 0.0f;
  for (int r = 0; r < shape.filter_height; ++r) {
    const int h = p * shape.stride - shape.padding + r;
    if (h < 0 || h >= shape.height) continue;
    for (int s = 0; s < shape.filter_width; ++s) {
      const int w = q * shape.stride - shape.padding + s;
      if (w < 0 || w >= shape.width) continue;
      const int64_t x_pixel = (int64_t{n} * shape.height + h) * shape.width + w;
      const auto x = arguments.x + x_pixel * shape.x_pixel_stride + first_channel;
      const auto weights = arguments.w + int64_t{k} * shape.depth +
                           (int64_t{r} * shape.filter_width + s) * shape.channels;
      for (int c = 0; c < shape.channels; ++c) {
        sum = device::fused_multiply_add(to_number(x.load(c)), to_number(weights.load(c)), sum);
      }
    }
  }
  return sum;
}

// One thread computes one output, then the one a grid further on.
// grid (ceil(N*P*Q*K / threads)), block (threads), no shared memory.
template <typename T>
YOLOCU_KERNEL conv_naive_kernel(YOLOCU_KERNEL_PARAM ConvArguments<T> arguments) {
  device::wait_for_prior_grids();
  device::allow_next_grid();
  const ConvShape& shape = arguments.shape;
  const int64_t channels = int64_t{shape.out_channels} * shape.groups;
  const int64_t count = channels * shape.pixels;
  const int64_t step = int64_t{device::grid_extent().x} * device::block_extent().x;
  int64_t i = int64_t{device::block_index().x} * device::block_extent().x + device::thread_rank();
  for (; i < count; i += step) {
    const auto pixel = static_cast<int>(i / channels);
    const auto k = static_cast<int>(i % channels);
    finish_number(arguments, pixel, k, naive_sum(arguments, pixel, k));
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
