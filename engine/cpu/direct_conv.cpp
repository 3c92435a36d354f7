#include "engine/cpu/direct_conv.h"

#include <array>
#include <cassert>
#include <cmath>

#include "engine/cpu/threads.h"

namespace yolocu::cpu {
namespace {

constexpr int64_t kMaxBlock = 16;
using Sums = std::array<float, kMaxBlock>;

float activate(float x, const ConvProblem& problem) {
  switch (problem.activation) {
    case Activation::kNone: return x;
    case Activation::kSilu: return x / (1.0f + std::exp(-x));
    case Activation::kLeakyRelu: return x > 0 ? x : x * problem.negative_slope;
    case Activation::kRelu: return x > 0 ? x : 0;
  }
  return x;
}

// sums[j] += sum over the window's pixels inside the picture and all channels, for output channel j
// of one block at output pixel (p, q).
void accumulate(Sums& sums, const Tensor& source, const float* weights, const ConvProblem& problem,
                int64_t block, int64_t p, int64_t q) {
  for (int64_t r = 0; r < problem.kernel; ++r) {
    const int64_t y = p * problem.stride + r - problem.padding;
    if (y < 0 || y >= source.height) continue;
    for (int64_t s = 0; s < problem.kernel; ++s) {
      const int64_t x = q * problem.stride + s - problem.padding;
      if (x < 0 || x >= source.width) continue;
      const float* w = weights + (r * problem.kernel + s) * source.channels * block;
      for (int64_t c = 0; c < source.channels; ++c, w += block) {
        const float value = source.data[source.index(c, y * source.width + x)];
        for (int64_t j = 0; j < block; ++j) sums[static_cast<size_t>(j)] += value * w[j];
      }
    }
  }
}

}  // namespace

WeightOrder direct_weight_order(const ConvProblem& problem, int64_t block) {
  const int64_t c = problem.in_channels;
  return {.block = block,
          .group = 0,
          .out_block = problem.kernel * problem.kernel * c * block,
          .in_block = block * block,
          .in = block,
          .row = problem.kernel * c * block,
          .column = c * block};
}

void direct_conv(const Tensor& destination, const Tensor& source, const Tensor& residual,
                 const float* weights, const float* bias, const ConvProblem& problem) {
  const int64_t block = destination.block;
  assert(problem.groups == 1 && block <= kMaxBlock && "grouped convolutions are expanded before");
  const int64_t out_block = direct_weight_order(problem, block).out_block;
  parallel_for(destination.channels / block * destination.height, [&](int64_t i) {
    const int64_t k = i / destination.height * block;
    const int64_t p = i % destination.height;
    for (int64_t q = 0; q < destination.width; ++q) {
      Sums sums{};
      for (int64_t j = 0; j < block; ++j) sums[static_cast<size_t>(j)] = bias[k + j];
      accumulate(sums, source, weights + k / block * out_block, problem, block, p, q);
      const int64_t first = destination.index(k, p * destination.width + q);
      for (int64_t j = 0; j < block; ++j) {
        const float added = residual.data != nullptr ? residual.data[first + j] : 0.0f;
        destination.data[first + j] = activate(sums[static_cast<size_t>(j)], problem) + added;
      }
    }
  });
}

}  // namespace yolocu::cpu
