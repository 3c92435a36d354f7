// Launch of a convolution and what it is expected to cost. Host code, no CUDA.
#pragma once

#include "kernels/conv/conv.h"

namespace yolocu {

// Threads of a block of the naive variant, one output each. 128: small layers still fill the
// multiprocessors.
constexpr int64_t kConvNaiveThreads = 128;

// The problem must have passed can_implement.
// kTiled, kImplicitGemm: grid (ceil(M / block_m) * ceil(N / block_n), 1, groups), the n of one m
// neighbours, so that blocks that run together read the same x from L2.
// kNaive: grid (ceil(N*P*Q*K / threads)), at most 2^31 - 1; the kernel loops over what is left.
LaunchConfig conv_launch(const ConvVariant& variant, const ConvProblem& problem);

// Estimated clocks of a kTiled or kImplicitGemm variant; lower is better. Blocks spread evenly over
// the multiprocessors. The stages of those on one take as long as its slowest unit (tensor cores,
// shared memory, L2, copy instructions) or, where they are few, as one stage takes from end to end;
// each wave of blocks adds its start and epilogue. The constants are of A100, from its data sheet
// and estimates: not measured.
double conv_cost(const ConvVariant& variant, const ConvProblem& problem, const ConvDevice& device);

}  // namespace yolocu
