// Device code of the pools. Formula and arguments: pool.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/channel_vector.cuh"
#include "kernels/pool/pool.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// x and y point to the first channel of their views.
template <typename T>
struct PoolArguments {
  device::GlobalPtr<T> y;
  device::GlobalPtr<const T> x;
  int32_t height, width, channels;  // H, W, C
  int32_t out_height, out_width;    // P, Q
  int32_t pixels;                   // N*P*Q
  int32_t window, stride, padding;
  int32_t x_pixel_stride, y_pixel_stride;
};

// The rows and columns of one window that lie within the picture; never none.
struct PoolWindow {
  int first_row, end_row, first_column, end_column;
};

template <typename T>
YOLOCU_DEVICE PoolWindow pool_window(const PoolArguments<T>& arguments, int p, int q) {
  const int row = p * arguments.stride - arguments.padding;
  const int column = q * arguments.stride - arguments.padding;
  const int end_row = row + arguments.window, end_column = column + arguments.window;
  return {row < 0 ? 0 : row, end_row < arguments.height ? end_row : arguments.height,
          column < 0 ? 0 : column, end_column < arguments.width ? end_column : arguments.width};
}

// One more pixel of the window: results[i] = max(results[i], x[i]), or their sum.
template <PoolKind kKind, int kWidth>
YOLOCU_DEVICE void pool_in(float (&results)[kWidth], const float (&x)[kWidth]) {
  YOLOCU_UNROLL
  for (int i = 0; i < kWidth; ++i) {
    if constexpr (kKind == PoolKind::kMean) {
      results[i] += x[i];
    } else if (x[i] > results[i] || x[i] != x[i]) {  // once NaN, nothing is greater
      results[i] = x[i];
    }
  }
}

// kWidth channels of one pixel of y.
template <PoolKind kKind, int kWidth, typename T>
YOLOCU_DEVICE void pool_run(const PoolArguments<T>& arguments, int pixel, int channel) {
  constexpr bool kMean = kKind == PoolKind::kMean;
  const int q = pixel % arguments.out_width;
  const int p = pixel / arguments.out_width % arguments.out_height;
  const int n = pixel / arguments.out_width / arguments.out_height;
  const PoolWindow window = pool_window(arguments, p, q);
  float results[kWidth];
  YOLOCU_UNROLL
  for (float& result : results) result = kMean ? 0.0f : -INFINITY;
  for (int h = window.first_row; h < window.end_row; ++h) {
    const int64_t row = int64_t{n * arguments.height + h} * arguments.width;
    for (int w = window.first_column; w < window.end_column; ++w) {
      float x[kWidth];
      load_numbers(x, arguments.x, (row + w) * arguments.x_pixel_stride + channel);
      pool_in<kKind>(results, x);
    }
  }
  if constexpr (kMean) {
    const auto area = static_cast<float>(arguments.window * arguments.window);
    YOLOCU_UNROLL
    for (float& result : results) result /= area;
  }
  store_numbers(arguments.y, int64_t{pixel} * arguments.y_pixel_stride + channel, results);
}

// A thread makes kCount channels of a pixel of y. Launched by pixel_tile(), no shared memory.
template <PoolKind kKind, typename T, int kCount>
YOLOCU_KERNEL pool_kernel(YOLOCU_KERNEL_PARAM PoolArguments<T> arguments) {
  for_each_run<kCount>(arguments.pixels, arguments.channels,
                       [&arguments]<int kWidth>(int pixel, int channel) {
                         pool_run<kKind, kWidth>(arguments, pixel, channel);
                       });
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
