// Convolutions by plain loops: depthwise ones, and the few shapes (strides above 2, windows above
// 64 taps) that the kernels lack. No network of ours has either.
#pragma once

#include "engine/cpu/conv_algorithm.h"
#include "engine/cpu/threads.h"

namespace yolocu::cpu {

// The whole task, of ConvAlgorithm::kPlain or kDepthwise; weights in f32.
void plain_conv(Team& team, const ConvTask& task, ConvAlgorithm algorithm, int64_t lanes);

}  // namespace yolocu::cpu
