// What the convolution kernels get by value, and how it follows from a problem.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/device/memory.h"
#include "kernels/device/numeric.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// Counts of elements; channels are those of one group. can_implement sees to it that they fit.
struct ConvShape {
  int32_t height, width, out_height, out_width;  // H, W, P, Q
  int32_t channels, out_channels;                // C / groups, K / groups
  int32_t filter_height, filter_width;           // R, S
  int32_t stride, padding, groups;
  int32_t pixels;  // N*P*Q
  int32_t depth;   // R*S*C/groups
  int32_t x_pixel_stride;
};

// What happens to a finished sum: act(sum + bias[k]) + residual, rounded to T. y and residual point
// to the first channel of the view.
template <typename T>
struct ConvEpilogue {
  device::GlobalPtr<T> y;
  device::GlobalPtr<const T> residual;  // null if there is none
  device::GlobalPtr<const float> bias;
  int32_t y_pixel_stride, residual_pixel_stride;
  Activation activation;
  float negative_slope;
  bool has_vectors;  // 8 channels of y, from a multiple of 8 of a group on, are 16 aligned bytes
};

template <typename T>
struct ConvArguments {
  device::GlobalPtr<const T> x;  // first channel of the view
  device::GlobalPtr<const T> w;
  ConvShape shape;
  ConvEpilogue<T> epilogue;
};

inline ConvShape conv_shape(const ConvProblem& problem) {
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  return {.height = narrow(problem.height),
          .width = narrow(problem.width),
          .out_height = narrow(problem.out_height()),
          .out_width = narrow(problem.out_width()),
          .channels = narrow(problem.group_channels()),
          .out_channels = narrow(problem.group_out_channels()),
          .filter_height = narrow(problem.filter_height),
          .filter_width = narrow(problem.filter_width),
          .stride = narrow(problem.stride),
          .padding = narrow(problem.padding),
          .groups = narrow(problem.groups),
          .pixels = narrow(problem.out_pixels()),
          .depth = narrow(problem.depth()),
          .x_pixel_stride = narrow(problem.x.pixel_stride)};
}

// True if the epilogue may move 8 channels at once.
inline bool has_output_vectors(const ConvProblem& problem) {
  constexpr int64_t kVector = 8;
  const auto is_aligned = [](const ChannelView& view) {
    return view.pixel_stride % kVector == 0 && view.offset % kVector == 0;
  };
  return problem.alignment_bytes % 16 == 0 && is_aligned(problem.y) &&
         (!problem.residual || is_aligned(*problem.residual)) &&
         (problem.groups == 1 || problem.group_out_channels() % kVector == 0);
}

// T is the element type of problem.dtype.
template <typename T>
ConvArguments<T> conv_arguments(const ConvTensors& tensors, const ConvProblem& problem) {
  const ChannelView residual = problem.residual.value_or(ChannelView{});
  const T* residual_view =
      problem.residual ? static_cast<const T*>(tensors.residual) + residual.offset : nullptr;
  return {.x = device::GlobalPtr(static_cast<const T*>(tensors.x) + problem.x.offset),
          .w = device::GlobalPtr(static_cast<const T*>(tensors.w)),
          .shape = conv_shape(problem),
          .epilogue = {.y = device::GlobalPtr(static_cast<T*>(tensors.y) + problem.y.offset),
                       .residual = device::GlobalPtr(residual_view),
                       .bias = device::GlobalPtr(tensors.bias),
                       .y_pixel_stride = static_cast<int32_t>(problem.y.pixel_stride),
                       .residual_pixel_stride = static_cast<int32_t>(residual.pixel_stride),
                       .activation = problem.activation,
                       .negative_slope = problem.negative_slope,
                       .has_vectors = has_output_vectors(problem)}};
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
