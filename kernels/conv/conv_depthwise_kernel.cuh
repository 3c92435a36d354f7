// Convolution of each channel by itself, K = C = groups: no product to tile. Formula and tensors:
// conv.h.
#pragma once

#include "kernels/channel_vector.cuh"
#include "kernels/conv/conv_epilogue.cuh"
#include "kernels/device/scalar.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// sums[i] = the sum over r, s (in this order, f32, every step fused) of channel + i.
template <typename T, int kCount>
YOLOCU_DEVICE void depthwise_sums(float (&sums)[kCount], const ConvArguments<T>& arguments,
                                  int pixel, int channel) {
  const ConvShape& shape = arguments.shape;
  const int q = pixel % shape.out_width;
  const int p = pixel / shape.out_width % shape.out_height;
  const int n = pixel / shape.out_width / shape.out_height;
  const int first_h = p * shape.stride - shape.padding;
  const int first_w = q * shape.stride - shape.padding;
  const auto weights = arguments.w + int64_t{channel} * shape.depth;  // [kCount, R*S]
  YOLOCU_UNROLL
  for (float& sum : sums) sum = 0.0f;
  for (int r = 0; r < shape.filter_height; ++r) {
    const int h = first_h + r;
    if (h < 0 || h >= shape.height) continue;
    for (int s = 0; s < shape.filter_width; ++s) {
      const int w = first_w + s;
      if (w < 0 || w >= shape.width) continue;
      const int64_t x_pixel = (int64_t{n} * shape.height + h) * shape.width + w;
      float x[kCount];
      load_numbers(x, arguments.x, x_pixel * shape.x_pixel_stride + channel);
      const int tap = r * shape.filter_width + s;
      YOLOCU_UNROLL
      for (int i = 0; i < kCount; ++i) {
        const float weight = to_number(weights.load(i * shape.depth + tap));
        sums[i] = device::fused_multiply_add(x[i], weight, sums[i]);
      }
    }
  }
}

// One thread computes runs of kCount channels of a pixel: 8, all of whose loads are 16 bytes, or 1.
// Launched as pixel_tile() says, with vectors of kCount elements. C is a multiple of kCount.
template <typename T, int kCount>
YOLOCU_KERNEL conv_depthwise_kernel(YOLOCU_KERNEL_PARAM ConvArguments<T> arguments) {
  static_assert(kCount == 1 || kCount == kRunChannels, "the epilogue has runs of no other length");
  const int channels = arguments.shape.groups;
  for_each_run<kCount>(arguments.shape.pixels, channels, [&]<int kWidth>(int pixel, int channel) {
    float sums[kWidth];
    depthwise_sums(sums, arguments, pixel, channel);
    if constexpr (kWidth == 1) {
      finish_number(arguments, pixel, channel, sums[0]);
    } else {
      finish_run(arguments, channel_run(arguments.epilogue, channel, channels - channel), pixel,
                 sums);
    }
  });
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
