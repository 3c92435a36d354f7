// Launches of the decode kernels, and their threshold. Host code, no CUDA.
#pragma once

#include "kernels/decode/decode.h"

namespace yolocu {

// Threads of a block, a warp an anchor. 256: 8,400 anchors still make 1,050 blocks.
constexpr int kDecodeThreads = 256;

// Threads of the block that picks the best candidates of a picture that has too many.
constexpr int kDecodeExcessThreads = 512;
// Its shared memory: a histogram of 256 words, then a counter.
constexpr int64_t kDecodeExcessBytes = 257 * 4;

// grid (ceil(batch * anchors / warps of a block)), at most 2^31 - 1; the kernels loop over what is
// left. The problem must have passed can_implement.
LaunchConfig decode_launch(const DecodeProblem& problem);

// A logit that no score above `confidence` lies below, with room for the roundings of the sigmoid:
// comparing with it first changes no result.
float least_logit(float confidence);

}  // namespace yolocu
