// From accumulators to stored outputs: y = act(acc + bias) [+ residual], in the element of y.
#pragma once

#include <type_traits>

#include "engine/cpu/kernels/conv_task.h"
#include "engine/cpu/kernels/elements.h"
#include "engine/cpu/kernels/instruction_set.h"
#include "weights/format/graph.h"

namespace yolocu::cpu {

// e^x to 2 ulp for x in [-87, 88], clamped outside; NaN gives NaN. x = n ln 2 + f; the polynomial
// is the Taylor series of e^f, |f| <= 0.35: its remainder is below 2^-25.
template <typename Set>
inline typename Set::F exponential(typename Set::F x) {
  using F = typename Set::F;
  using I = typename Set::I;
  const F low = broadcast<Set>(-87.0f);
  const F high = broadcast<Set>(88.0f);
  x = x < low ? low : x;
  x = x > high ? high : x;
  constexpr float kRoundToInteger = 12582912.0f;  // 1.5 x 2^23: adding it leaves no fraction bits
  const F shifted = x * 1.44269504f + kRoundToInteger;
  const F n = shifted - kRoundToInteger;
  F f = x - n * 0.693359375f;  // ln 2 in two parts, n times the first of which is exact
  f = f + n * 2.12194440e-4f;
  F p = f * (1.0f / 720) + (1.0f / 120);
  p = p * f + (1.0f / 24);
  p = p * f + (1.0f / 6);
  p = p * f + 0.5f;
  p = p * f + 1.0f;
  p = p * f + 1.0f;
  // The low bits of `shifted` are n: 127 more of it, moved into the exponent, is 2^n.
  return p * bits_as<F>((bits_as<I>(shifted) + 127) << 23);
}

// 1 / (1 + e^-x)
template <typename Set>
inline typename Set::F sigmoid(typename Set::F x) {
  return 1.0f / (1.0f + exponential<Set>(-x));
}

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
// x sigmoid(x) to 2^-18 of its value, for results of 8 significant bits: the polynomial is shorter.
// e^-x = 2^t = 2^floor(t) 2^f with 0 <= f < 1. A division costs no more than the processor's
// reciprocal of 14 bits and a step of Newton's method.
template <typename Set>
inline typename Set::F coarse_silu(typename Set::F x) {
  using F = typename Set::F;
  const F t = x * -1.44269504f;
  constexpr int kFromFloor = 1;
  const F f = _mm512_reduce_ps(t, kFromFloor);
  // Of degree 4, fitted for the least relative error, 2.7e-6.
  F p = f * 0.01352060f + 0.05203743f;
  p = p * f + 0.24142750f;
  p = p * f + 0.69300663f;
  p = p * f + 1.00000250f;
  return x / (_mm512_scalef_ps(p, t) + 1.0f);
}
#endif

template <typename Set, Activation kActivation, bool kIsCoarse>
inline typename Set::F activate(typename Set::F x, float negative_slope) {
  using F = typename Set::F;
  if constexpr (kActivation == Activation::kSilu) {
#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
    if constexpr (kIsCoarse) return coarse_silu<Set>(x);
#endif
    return x / (1.0f + exponential<Set>(-x));
  }
  if constexpr (kActivation == Activation::kRelu) return x < 0.0f ? F{} : x;
  if constexpr (kActivation == Activation::kLeakyRelu) return x < 0.0f ? x * negative_slope : x;
  return x;
}

// Calls body with the activation as a constant, so that loops hold no switch.
template <typename Body>
inline void with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::kNone: return body(std::integral_constant<Activation, Activation::kNone>{});
    case Activation::kSilu: return body(std::integral_constant<Activation, Activation::kSilu>{});
    case Activation::kLeakyRelu:
      return body(std::integral_constant<Activation, Activation::kLeakyRelu>{});
    case Activation::kRelu: return body(std::integral_constant<Activation, Activation::kRelu>{});
  }
}

// Sums of floats, or of int8 products, as floats with the bias added.
template <typename Set>
struct FloatSums {
  typename Set::F bias;

  FloatSums(const ConvTask& task, int64_t channel)
      : bias(load<typename Set::F>(task.bias + channel)) {}
  typename Set::F operator()(typename Set::F sum) const { return sum + bias; }
};

template <typename Set>
struct Int8Sums {
  typename Set::F bias, scale;
  typename Set::I compensation;

  Int8Sums(const ConvTask& task, int64_t channel)
      : bias(load<typename Set::F>(task.bias + channel)),
        scale(load<typename Set::F>(task.scale + channel)),
        compensation(load<typename Set::I>(task.compensation + channel)) {}
  typename Set::F operator()(typename Set::I sum) const {
    return __builtin_convertvector(sum - compensation, typename Set::F) * scale + bias;
  }
};

// Where outputs of one block of channels go: rows of neighbours.
struct OutputPlace {
  int64_t block = 0;
  int64_t at = 0;  // element of the destination
  int64_t pixels = 0, rows = 1;
  int64_t row_stride = 0;  // elements from one row to the next
};

// Not inlined: one copy serves all kernels.
template <typename Set, typename Out, Activation kActivation, typename Accumulator>
[[gnu::noinline]] void finish_rows(const ConvTask& task, const OutputPlace& place,
                                   const Accumulator* sums, int64_t sums_stride) {
  using F = typename Set::F;
  constexpr int64_t kLanes = Set::kLanes;
  constexpr bool kFromInt8 = std::is_same_v<Accumulator, typename Set::I>;
  constexpr bool kToInt8 = std::is_same_v<Out, Int8Element<Set>>;
  const int64_t channel = place.block * kLanes;
  const std::conditional_t<kFromInt8, Int8Sums<Set>, FloatSums<Set>> to_float(task, channel);
  const bool is_scaled = kToInt8 && task.residual != nullptr;
  const F residual_scale = is_scaled ? load<F>(task.residual_scale + channel) : F{};
  const float inverse_output_scale = task.inverse_output_scale;
  const float negative_slope = task.shape.negative_slope;
  auto* y = reinterpret_cast<typename Out::Source*>(task.destination) + place.at;
  const auto* residual = reinterpret_cast<const typename Out::Source*>(task.residual);
  if (residual != nullptr) residual += place.at;

  const auto value_of = [&](int64_t i) {
    F value = activate<Set, kActivation, Out::kIsCoarse>(to_float(sums[i]), negative_slope);
    if (residual != nullptr) {
      F added = Out::load_floats(residual + i * kLanes);
      if constexpr (kToInt8) added *= residual_scale;
      value += added;
    }
    if constexpr (kToInt8) value *= inverse_output_scale;
    return value;
  };
  const int64_t rows = place.rows;
  const int64_t pixels = place.pixels;
  const int64_t row_stride = place.row_stride;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t i = 0;
    for (; i + kRun <= pixels; i += kRun) {
      F values[kRun];
#pragma GCC unroll 4
      for (int j = 0; j < kRun; ++j) values[j] = value_of(i + j);
      if constexpr (kToInt8) {
        Out::store_run(y + i * kLanes, values);
      } else {
#pragma GCC unroll 4
        for (int j = 0; j < kRun; ++j) Out::store_floats(y + (i + j) * kLanes, values[j]);
      }
    }
    for (; i < pixels; ++i) Out::store_floats(y + i * kLanes, value_of(i));
    sums += sums_stride;
    y += row_stride;
    if (residual != nullptr) residual += row_stride;
  }
}

// The outputs at `place` from sums [rows][sums_stride].
template <typename Set, typename Out, typename Accumulator>
inline void finish_pixels(const ConvTask& task, const OutputPlace& place, const Accumulator* sums,
                          int64_t sums_stride) {
  with_activation(task.shape.activation, [&](auto activation) {
    finish_rows<Set, Out, decltype(activation)::value>(task, place, sums, sums_stride);
  });
}

}  // namespace yolocu::cpu
