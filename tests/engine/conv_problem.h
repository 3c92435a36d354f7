// A convolution with numbers, and what its definition makes of them in double precision.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/cpu/kernels/conv_task.h"
#include "engine/plan/channel_layout.h"

namespace yolocu::cpu {

enum class Numbers : uint8_t { kIntegers, kReals };

struct Case {
  int64_t in = 16, out = 16, height = 5, width = 7;
  int64_t kernel = 3, stride = 1, padding = 1, groups = 1;
  SourceLayout layout = SourceLayout::kBlocked;
  Activation activation = Activation::kNone;
  bool residual = false;
  int64_t most_input = 2, most_weight = 1;  // of integers
  // What a unit of int8 sums and residuals is worth in channel 0; with steps above 1, half of that
  // in the next channel, and so on, and again from there after as many channels.
  double sum_scale = 1.0, residual_scale = 1.0;
  int64_t sum_scale_steps = 1, residual_scale_steps = 1;
  double inverse_output_scale = 0.125;  // of int8 destinations

  double sum_scale_of(int64_t k) const {
    return std::ldexp(sum_scale, -static_cast<int>(k % sum_scale_steps));
  }
  double residual_scale_of(int64_t k) const {
    return std::ldexp(residual_scale, -static_cast<int>(k % residual_scale_steps));
  }
};

std::string text(const Case& c);

// Logical tensors and what the definition makes of them.
struct Problem {
  std::vector<float> x, w, bias, residual;  // NHWC, KRSC, K, NHWC
  std::vector<double> y, bounds;            // bounds: sums of |x w|, scaled
  int64_t out_height = 0, out_width = 0;
};

// x and residual are rounded to the elements that they will have, weights to theirs. Integers are
// bounded by the case, reals by 1; weights are multiplied by weight_scale.
Problem make_problem(const Case& c, Numbers numbers, double weight_scale, Element source_element,
                     Element destination, Element weight_element);

// NHWC to blocks, padding zero. Integers of kI8 in [-127, 127].
std::vector<std::byte> to_blocks(const std::vector<float>& pixels, int64_t channels,
                                 const ChannelLayout& layout, int64_t block, Element element);

float read(const std::vector<std::byte>& data, int64_t index, Element element);

}  // namespace yolocu::cpu
