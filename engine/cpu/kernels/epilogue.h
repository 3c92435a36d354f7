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
// x sigmoid(x) to 2^-18 of its value, for results of 8 significant bits: a shorter polynomial and
// the processor's reciprocal of 14 bits with a step of Newton's method, instead of a division.
// 2^(-x log2 e) = 2^n 2^f with |f| <= 1/2.
template <typename Set>
inline typename Set::F coarse_silu(typename Set::F x) {
  using F = typename Set::F;
  constexpr float kMost = 126.0f;
  F t = x * -1.44269504f;
  t = t > -kMost ? t : broadcast<Set>(-kMost);
  t = t < kMost ? t : broadcast<Set>(kMost);
  const F n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const F f = t - n;
  // Of degree 4, fitted for the least relative error, 2.7e-6.
  F p = f * 0.00956051f + 0.05591704f;
  p = p * f + 0.24024981f;
  p = p * f + 0.69312197f;
  p = p * f + 0.99999919f;
  const F power = _mm512_scalef_ps(p, n);
  const F divisor = power + 1.0f;
  const F guess = _mm512_rcp14_ps(divisor);
  const F result = x * (guess * (2.0f - divisor * guess));
  return x == x ? result : x;
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

// `pixels` outputs of block `block`, the first at element `at` of the destination, a block apart,
// from sums[0..pixels).
template <typename Set, typename Out, typename Accumulator>
inline void finish_pixels(const ConvTask& task, int64_t block, int64_t at, int64_t pixels,
                          const Accumulator* sums) {
  using F = typename Set::F;
  constexpr int64_t kLanes = Set::kLanes;
  constexpr bool kFromInt8 = std::is_same_v<Accumulator, typename Set::I>;
  constexpr bool kToInt8 = std::is_same_v<Out, Int8Element<Set>>;
  const std::conditional_t<kFromInt8, Int8Sums<Set>, FloatSums<Set>> to_float(task, block * kLanes);
  auto* const y = reinterpret_cast<typename Out::Source*>(task.destination) + at;
  const auto* const residual =
      task.residual == nullptr ? nullptr
                               : reinterpret_cast<const typename Out::Source*>(task.residual) + at;
  with_activation(task.shape.activation, [&](auto activation) {
    for (int64_t i = 0; i < pixels; ++i) {
      F value = activate<Set, decltype(activation)::value, Out::kIsCoarse>(
          to_float(sums[i]), task.shape.negative_slope);
      if (residual != nullptr) {
        F added = Out::load_floats(residual + i * kLanes);
        if constexpr (kToInt8) added *= load<F>(task.residual_scale + block * kLanes);
        value += added;
      }
      if constexpr (kToInt8) value *= task.inverse_output_scale;
      Out::store_floats(y + i * kLanes, value);
    }
  });
}

}  // namespace yolocu::cpu
