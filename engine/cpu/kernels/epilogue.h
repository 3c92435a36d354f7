// From accumulators to stored outputs: y = act(acc + bias) [+ residual], in the element of y.
#pragma once

#include <type_traits>

#include "engine/cpu/kernels/conv_task.h"
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

template <typename Set, Activation kActivation>
inline typename Set::F activate(typename Set::F x, float negative_slope) {
  using F = typename Set::F;
  if constexpr (kActivation == Activation::kSilu) return x / (1.0f + exponential<Set>(-x));
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

// `pixels` outputs of block `block`, the first at element `at` of the destination, `pitch` elements
// apart, from sums[0..pixels).
template <typename Set, typename Out>
inline void finish_pixels(const ConvTask& task, int64_t block, int64_t at, int64_t pitch,
                          int64_t pixels, const typename Set::F* sums) {
  using F = typename Set::F;
  const F bias = load<F>(task.bias + block * Set::kLanes);
  auto* const y = reinterpret_cast<typename Out::Source*>(task.destination) + at;
  const auto* const residual =
      task.residual == nullptr ? nullptr
                               : reinterpret_cast<const typename Out::Source*>(task.residual) + at;
  with_activation(task.shape.activation, [&](auto activation) {
    for (int64_t i = 0; i < pixels; ++i) {
      F value =
          activate<Set, decltype(activation)::value>(sums[i] + bias, task.shape.negative_slope);
      if (residual != nullptr) value += Out::load_floats(residual + i * pitch);
      Out::store_floats(y + i * pitch, value);
    }
  });
}

}  // namespace yolocu::cpu
