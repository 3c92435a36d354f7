// One convolution as its kernels see it, whatever the instruction set: y = act(conv(x, w) + bias)
// [+ residual] of one picture in blocks of channels (tensor.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/cpu/kernels/elements.h"
#include "weights/format/graph.h"

namespace yolocu::cpu {

// Equal tiles of at most `most_pixels` that a row of outputs is cut into.
inline int64_t tiles_a_row(int64_t out_width, int64_t most_pixels) {
  return (out_width + most_pixels - 1) / most_pixels;
}

// Output channels that one pass over the source computes: one or two blocks, never of two groups.
struct ConvPanel {
  int64_t first_block = 0;    // of the outputs
  int64_t blocks = 1;         // 1 or 2
  int64_t source_block = 0;   // the group's first block of inputs
  int64_t weight_offset = 0;  // elements
};

// How far apart the pixels are that one row of the register tile reads.
enum class SourceLayout : uint8_t {
  kBlocked,  // blocks of channels
  kPicture,  // NHWC with 3 channels: the channels of a row of the window are one run
};

// Shapes and choices, without addresses.
struct ConvShape {
  Element source = Element::kF32;
  Element destination = Element::kF32;  // of the residual, too
  SourceLayout layout = SourceLayout::kBlocked;
  int64_t in_channels = 0, in_height = 0, in_width = 0;     // channels with padding
  int64_t out_channels = 0, out_height = 0, out_width = 0;  // of all groups, with padding
  int64_t kernel = 1, stride = 1, padding = 0, groups = 1;
  Activation activation = Activation::kNone;
  float negative_slope = 0;
};

struct ConvTask {
  ConvShape shape;
  std::vector<ConvPanel> panels;
  const std::byte* source = nullptr;
  std::byte* destination = nullptr;
  const std::byte* residual = nullptr;  // null: none
  const std::byte* weights = nullptr;   // see pack_weights()
  const float* bias = nullptr;          // [out_channels]
  // Of int8 sources: y = act(sum * scale[k] + bias[k]). Direct convolution sums (q + 128) w, so that
  // its sums start with compensation[k], -128 times the sum of the weights.
  const float* scale = nullptr;
  const int32_t* compensation = nullptr;
  const float* residual_scale = nullptr;  // [out_channels], of an int8 residual
  float inverse_output_scale = 1.0f;      // of an int8 destination
  // How the work is cut into chunks, which may run in any order and on any threads.
  int64_t tiles = 0, tiles_a_chunk = 0, tile_chunks = 0;
  int64_t panels_a_chunk = 0, panel_chunks = 0;
  int64_t chunks() const { return tile_chunks * panel_chunks; }
  int64_t scratch_bytes = 0;  // that each thread needs
};

}  // namespace yolocu::cpu
