// Oracle of the convolutions: plain loops over NHWC and OHWI, double sums. Shares nothing with the
// kernels but the problem struct.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/base/half.h"
#include "kernels/conv/conv.h"

namespace yolocu::testing {

// Buffers of one convolution; 16-bit floats as bits. x [N,H,W,x.pixel_stride], y and residual
// [N,P,Q,their pixel_stride], w [K,R,S,C/groups], bias [K].
struct ConvData {
  std::vector<uint16_t> x, w, y, residual;
  std::vector<float> bias;
};

// Of each y[n,p,q,k] in this order: the value before it is rounded to the dtype, and the largest
// error that sums in f32 and the approximate exponential may leave in it.
struct ConvExpectation {
  std::vector<double> values, tolerances;
};

inline double conv_number(DType dtype, uint16_t bits) {
  return static_cast<double>(dtype == DType::kF16 ? half_to_float(bits) : bfloat16_to_float(bits));
}

inline uint16_t conv_bits(DType dtype, double value) {
  const auto narrow = static_cast<float>(value);
  return dtype == DType::kF16 ? float_to_half(narrow) : float_to_bfloat16(narrow);
}

// How often a filter of `taps` fits into `extent` with `padding` on both sides, in steps of stride.
inline int64_t conv_positions(int64_t extent, int64_t taps, int64_t padding, int64_t stride) {
  int64_t count = 0;
  for (int64_t first = -padding; first + taps <= extent + padding; first += stride) ++count;
  return count;
}

inline double reference_activation(const ConvProblem& problem, double value) {
  switch (problem.activation) {
    case Activation::kNone: return value;
    case Activation::kSilu: return value / (1 + std::exp(-value));
    case Activation::kLeakyRelu:
      return value > 0 ? value : value * static_cast<double>(problem.negative_slope);
    case Activation::kRelu: return value > 0 ? value : 0;
  }
  return 0;
}

// sum: bias and products. magnitude: of the same numbers without signs.
struct ReferenceSum {
  double sum = 0, magnitude = 0;
  void add(double value) {
    sum += value;
    magnitude += std::fabs(value);
  }
};

inline ReferenceSum reference_conv_sum(const ConvProblem& problem, const ConvData& data, int64_t n,
                                       int64_t p, int64_t q, int64_t k) {
  const int64_t channels = problem.channels / problem.groups;
  const int64_t group = k / (problem.out_channels / problem.groups);
  ReferenceSum sum;
  sum.add(static_cast<double>(data.bias.at(static_cast<size_t>(k))));
  for (int64_t r = 0; r < problem.filter_height; ++r) {
    for (int64_t s = 0; s < problem.filter_width; ++s) {
      const int64_t h = p * problem.stride + r - problem.padding;
      const int64_t w = q * problem.stride + s - problem.padding;
      if (h < 0 || w < 0 || h >= problem.height || w >= problem.width) continue;
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t pixel = (n * problem.height + h) * problem.width + w;
        const int64_t x_index =
            pixel * problem.x.pixel_stride + problem.x.offset + group * channels + c;
        const int64_t w_index =
            ((k * problem.filter_height + r) * problem.filter_width + s) * channels + c;
        sum.add(conv_number(problem.dtype, data.x.at(static_cast<size_t>(x_index))) *
                conv_number(problem.dtype, data.w.at(static_cast<size_t>(w_index))));
      }
    }
  }
  return sum;
}

// Bound on the error of act(sum) + residual before it is rounded: a sum of `terms` f32 in any order
// is off by terms * eps * magnitude, the activation stretches that by up to `slope`, and silu's own
// exponential and reciprocal are off by 2^-21 + |sum| * 2^-23 of the value.
inline double conv_tolerance(const ReferenceSum& sum, double value, double terms, double residual,
                             double slope) {
  const double eps = std::ldexp(1.0, -24);
  const double scale = std::ldexp(1.0, -21) + std::fabs(sum.sum) * std::ldexp(1.0, -23);
  return slope * 2 * (terms + 2) * eps * sum.magnitude + scale * std::fabs(value) +
         2 * eps * (std::fabs(value) + std::fabs(residual));
}

inline ConvExpectation reference_conv(const ConvProblem& problem, const ConvData& data) {
  const int64_t rows =
      conv_positions(problem.height, problem.filter_height, problem.padding, problem.stride);
  const int64_t columns =
      conv_positions(problem.width, problem.filter_width, problem.padding, problem.stride);
  const auto terms = static_cast<double>(problem.filter_height * problem.filter_width *
                                         problem.channels / problem.groups);
  constexpr double kSiluSlope = 1.1;  // its steepest, rounded up
  const double slope =
      std::fmax(kSiluSlope, std::fabs(static_cast<double>(problem.negative_slope)));
  ConvExpectation expected;
  for (int64_t pixel = 0; pixel < problem.batch * rows * columns; ++pixel) {
    for (int64_t k = 0; k < problem.out_channels; ++k) {
      const ReferenceSum sum = reference_conv_sum(problem, data, pixel / (rows * columns),
                                                  pixel / columns % rows, pixel % columns, k);
      const double value = reference_activation(problem, sum.sum);
      double residual = 0;
      if (problem.residual) {
        const ChannelView& view = *problem.residual;
        const int64_t index = pixel * view.pixel_stride + view.offset + k;
        residual = conv_number(problem.dtype, data.residual.at(static_cast<size_t>(index)));
      }
      expected.values.push_back(value + residual);
      expected.tolerances.push_back(conv_tolerance(sum, value, terms, residual, slope));
    }
  }
  return expected;
}

}  // namespace yolocu::testing
