// Convolution by plain loops on blocked tensors: the route for the few shapes (padding as large as
// the kernel, kernels larger than the picture) for which oneDNN has only a reference implementation
// that is 100 times slower.
#pragma once

#include "engine/cpu/onednn.h"
#include "engine/cpu/tensor.h"

namespace yolocu::cpu {

// Order of the weights that direct_conv reads: [K/block][R][S][C][block].
WeightOrder direct_weight_order(const ConvProblem& problem, int64_t block);

// destination [K/block,P,Q,block] = act(conv(source, weights) + bias) [+ residual]; groups must
// be 1. residual (data null: none) has the destination's shape.
void direct_conv(const Tensor& destination, const Tensor& source, const Tensor& residual,
                 const float* weights, const float* bias, const ConvProblem& problem);

}  // namespace yolocu::cpu
