// Launch of a convolution and what it is expected to cost. Host code, no CUDA.
#pragma once

#include "kernels/conv/conv.h"

namespace yolocu {

// Threads of a block of the naive variant, one output each. 128: small layers still fill the
// multiprocessors.
constexpr int64_t kConvNaiveThreads = 128;

// The problem must have passed can_implement.
// kTiled, kImplicitGemm, kWarpgroupGemm: grid (ceil(M / block_m) * ceil(N / block_n), splits,
// groups), the n of one m neighbours, so that blocks that run together read the same x from L2.
// kNaive: grid (ceil(N*P*Q*K / threads)), at most 2^31 - 1; the kernel loops over what is left.
// kDepthwise: that of pixel_tile(). All with StartRule::kOverlapPrevious.
LaunchConfig conv_launch(const ConvChoice& choice, const ConvProblem& problem);

// Tiles of the output of one group; stages of the pipeline of a block that runs through all of k,
// and of one that has a split. 0 where nothing is tiled.
int64_t conv_tiles(const ConvVariant& variant, const ConvProblem& problem);
int64_t conv_stages(const ConvVariant& variant, const ConvProblem& problem);
int64_t conv_split_stages(const ConvChoice& choice, const ConvProblem& problem);

// Estimated clocks of a kTiled, kImplicitGemm or kWarpgroupGemm choice; lower is better. Blocks
// spread evenly over the multiprocessors. The stages of those on one take as long as its slowest
// unit (tensor cores, shared memory, L2) or, where they are few, as one stage takes from end to
// end. Each wave of blocks adds its start and what a thread does with its sums, each block its
// epilogue, and splits the way of their sums through L2. The constants are fitted to times on an
// H100 (selection.cpp); without wgmma the rates are those of A100's data sheet, not measured.
double conv_cost(const ConvChoice& choice, const ConvProblem& problem, const ConvDevice& device);

}  // namespace yolocu
