// Oracle of the convolutions: plain loops over NHWC and OHWI, double sums. Shares nothing with the
// kernels but the problem struct.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/base/half.h"
#include "kernels/conv/conv.h"

namespace yolocu::testing {

// Numbers of a dtype as they lie in memory.
class ConvBuffer {
 public:
  ConvBuffer() = default;
  ConvBuffer(DType dtype, int64_t count, uint8_t byte)
      : dtype_(dtype), bytes_(static_cast<size_t>(count * size_bytes(dtype)), byte) {}

  int64_t count() const { return static_cast<int64_t>(bytes_.size()) / size_bytes(dtype_); }
  std::vector<uint8_t>& bytes() { return bytes_; }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

  double get(int64_t i) const {
    uint32_t bits = 0;
    std::memcpy(&bits, &bytes_.at(place(i)), width());
    if (dtype_ == DType::kF16) return double{half_to_float(static_cast<uint16_t>(bits))};
    if (dtype_ == DType::kBF16) return double{bfloat16_to_float(static_cast<uint16_t>(bits))};
    return double{std::bit_cast<float>(bits)};
  }
  // Rounded to float, then to the dtype.
  void set(int64_t i, double number) {
    const auto value = static_cast<float>(number);
    auto bits = std::bit_cast<uint32_t>(value);
    if (dtype_ == DType::kF16) bits = float_to_half(value);
    if (dtype_ == DType::kBF16) bits = float_to_bfloat16(value);
    std::memcpy(&bytes_.at(place(i)), &bits, width());
  }
  void copy(int64_t i, const ConvBuffer& from) {
    std::memcpy(&bytes_.at(place(i)), &from.bytes_.at(place(i)), width());
  }
  bool operator==(const ConvBuffer&) const = default;

 private:
  size_t width() const { return static_cast<size_t>(size_bytes(dtype_)); }
  size_t place(int64_t i) const { return static_cast<size_t>(i) * width(); }

  DType dtype_ = DType::kF16;
  std::vector<uint8_t> bytes_;
};

// Buffers of one convolution. x [N,H,W,x.pixel_stride], residual [N,P,Q,its pixel_stride], y and
// second [N, upsample*P, upsample*Q, their pixel_stride], w [K,R,S,C/groups], bias [K].
struct ConvData {
  ConvBuffer x = {}, w = {}, y = {}, second = {}, residual = {};
  std::vector<float> bias = {};
};

// Of each y[n,p,q,k] in this order: the value before it is rounded to the dtype, and the largest
// error that sums in f32 and the approximate exponential may leave in it.
struct ConvExpectation {
  std::vector<double> values, tolerances;
};

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
        sum.add(data.x.get(x_index) * data.w.get(w_index));
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
        residual = data.residual.get(pixel * view.pixel_stride + view.offset + k);
      }
      expected.values.push_back(value + residual);
      expected.tolerances.push_back(conv_tolerance(sum, value, terms, residual, slope));
    }
  }
  return expected;
}

// check(element of the output's buffer, index of the expectation) for every element of the output.
template <typename Check>
void for_each_stored(const ConvProblem& problem, const ConvOutput& output, const Check& check) {
  const int64_t u = output.upsample;
  const int64_t rows =
      conv_positions(problem.height, problem.filter_height, problem.padding, problem.stride);
  const int64_t columns =
      conv_positions(problem.width, problem.filter_width, problem.padding, problem.stride);
  for (int64_t n = 0; n < problem.batch; ++n) {
    for (int64_t row = 0; row < u * rows; ++row) {
      for (int64_t column = 0; column < u * columns; ++column) {
        const int64_t stored = (n * u * rows + row) * u * columns + column;
        const int64_t computed = (n * rows + row / u) * columns + column / u;
        for (int64_t k = 0; k < problem.out_channels; ++k) {
          check(stored * output.view.pixel_stride + output.view.offset + k,
                computed * problem.out_channels + k);
        }
      }
    }
  }
}

}  // namespace yolocu::testing
