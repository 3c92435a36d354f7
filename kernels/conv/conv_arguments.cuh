// What the convolution kernels get by value, and how it follows from a problem.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"
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

// A view with the pixels of y. It has vectors if 16 bytes of it are aligned, from a multiple of so
// many channels on: of a group, or of all channels where a group has one.
template <typename T>
struct ConvView {
  device::GlobalPtr<T> data;  // the first channel of the view; null if there is none
  int32_t pixel_stride;
  bool has_vectors;
  bool is_upsampled;  // of 2P x 2Q pixels
};

// What happens to a finished sum: act(sum + bias[k]) + residual, rounded to T, stored once or
// twice.
template <typename T>
struct ConvEpilogue {
  ConvView<T> y, second;
  ConvView<const T> residual;
  device::GlobalPtr<const float> bias;
  Activation activation;
  float negative_slope;
};

// How the sum over k is divided among the blocks of a tile, grid_extent().y of them.
struct ConvSplit {
  int32_t stages;                       // of a block; the last one has the rest
  device::GlobalPtr<uint32_t> tickets;  // [kConvTickets]: blocks of a tile that are done
  device::GlobalPtr<float> partials;    // [tiles, splits, block_m * block_n]
};

template <typename T>
struct ConvArguments {
  device::GlobalPtr<const T> x;  // first channel of the view
  device::GlobalPtr<const T> w;
  ConvShape shape;
  ConvSplit split;
  ConvEpilogue<T> epilogue;
};

inline ConvSplit conv_split(void* workspace, const ConvChoice& choice, const ConvProblem& problem) {
  const auto stages = static_cast<int32_t>(conv_split_stages(choice, problem));
  if (choice.splits == 1) return {.stages = stages, .tickets = {}, .partials = {}};
  auto* tickets = static_cast<uint32_t*>(workspace);
  auto* partials = reinterpret_cast<float*>(tickets + kConvTickets);
  return {.stages = stages,
          .tickets = device::GlobalPtr(tickets),
          .partials = device::GlobalPtr(partials)};
}

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

// output: none, or one of the problem; data: the first element of its buffer.
template <typename T>
ConvView<T> conv_view(const std::optional<ConvOutput>& output, T* data,
                      const ConvProblem& problem) {
  if (!output) return {};
  constexpr int64_t kVector = 16 / sizeof(T);
  const ChannelView& view = output->view;
  return {.data = device::GlobalPtr(data + view.offset),
          .pixel_stride = static_cast<int32_t>(view.pixel_stride),
          .has_vectors = problem.alignment_bytes % 16 == 0 && view.pixel_stride % kVector == 0 &&
                         view.offset % kVector == 0 &&
                         (problem.groups == 1 || problem.group_out_channels() == 1 ||
                          problem.group_out_channels() % kVector == 0),
          .is_upsampled = output->upsample == 2};
}

// T is the element type of problem.dtype.
template <typename T>
ConvArguments<T> conv_arguments(const ConvTensors& tensors, const ConvProblem& problem,
                                const ConvChoice& choice) {
  std::optional<ConvOutput> residual;
  if (problem.residual) residual = ConvOutput{*problem.residual};
  return {.x = device::GlobalPtr(static_cast<const T*>(tensors.x) + problem.x.offset),
          .w = device::GlobalPtr(static_cast<const T*>(tensors.w)),
          .shape = conv_shape(problem),
          .split = conv_split(tensors.workspace, choice, problem),
          .epilogue = {
              .y = conv_view(problem.first(), static_cast<T*>(tensors.y), problem),
              .second = conv_view(problem.second, static_cast<T*>(tensors.second), problem),
              .residual = conv_view(residual, static_cast<const T*>(tensors.residual), problem),
              .bias = device::GlobalPtr(tensors.bias),
              .activation = problem.activation,
              .negative_slope = problem.negative_slope}};
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
