// The ops that only move or add numbers, on blocked tensors. Destinations keep zeros in the padding
// of their layout, as convolutions expect. None allocates.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/tensor.h"
#include "engine/cpu/threads.h"
#include "engine/plan/channel_layout.h"

namespace yolocu::cpu {

// Channels [destination, destination + count) of pixel (y, x) are channels [source, source + count)
// of pixel (step y + row, step x + column), or zeros if source is kZeros. A run stays within one
// block on either side; step belongs to the whole Gather.
struct ChannelRun {
  static constexpr int64_t kZeros = -1;
  int64_t destination = 0, source = 0, count = 0;
  int64_t row = 0, column = 0;
};

// Another order of channels and, with step 2, of pixels.
struct Gather {
  int64_t step = 1;
  std::vector<ChannelRun> runs;
};

// All channels of a value from one layout to another.
Gather plan_relayout(const ChannelLayout& destination, int64_t destination_block,
                     const ChannelLayout& source, int64_t source_block);

// SpaceToDepthOp: channel block b of the destination comes from pixel (b % 2, b / 2) of each 2 x 2.
Gather plan_space_to_depth(const ChannelLayout& destination, int64_t destination_block,
                           const ChannelLayout& source, int64_t source_block);

// Elements may differ: f32 and bf16 are converted, rounded to nearest even. int8 stays int8.
void gather(Team& team, const Tensor& destination, const Tensor& source, const Gather& plan);

// Row to_y of the destination alone, from row from_y (times the plan's step) of the source.
void gather_row(const Tensor& destination, int64_t to_y, const Tensor& source, int64_t from_y,
                const Gather& plan);

// y[c, p, q] = x[c, p / factor, q / factor]; equal elements, blocks and channels.
void upsample(Team& team, const Tensor& destination, const Tensor& source, int64_t factor);

// Equal elements, shapes and blocks.
void copy(Team& team, const Tensor& destination, const Tensor& source);

}  // namespace yolocu::cpu
