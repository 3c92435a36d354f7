// Choices of the channel_copy kernels, and their legality. Host code, no CUDA.
#pragma once

#include "kernels/copy/channel_copy.h"

namespace yolocu {

// Threads of one block. 256: enough to fill an SM of any supported card with 8 blocks, and the copy
// holds so few registers that more would not change occupancy.
constexpr int64_t kChannelCopyThreads = 256;

// kVector: `lanes` threads share a pixel, so a block moves `pixels` = threads / lanes at once.
// kNaive: one lane, a thread an element.
struct ChannelCopyTile {
  int64_t lanes = 1;
  int64_t pixels = kChannelCopyThreads;
  int64_t blocks = 1;
};

// lanes: the smallest power of two that covers the vectors of a pixel, at most a warp; idle lanes
// stay under one half. blocks: all pixels in one wave of the grid, at most 2^31 - 1; the kernels
// loop over what is left. The problem must have passed can_implement.
ChannelCopyTile choose_tile(const ChannelCopyVariant& variant, const ChannelCopyProblem& problem);

}  // namespace yolocu
