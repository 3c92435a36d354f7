// Activations, as exact as what they are stored as needs them.
#pragma once

#include <type_traits>

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
#include <immintrin.h>
#endif

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

// The factor of what coarse_silu() takes and gives.
inline constexpr float kCoarseFactor = -1.44269504f;  // -log2 e

// k x sigmoid(x) of t = k x, k = kCoarseFactor, to 2^-18 of its value, for results of 8 significant
// bits: the polynomial is shorter, and k costs nothing where sums and results are scaled anyway.
// |x| < 2e38; beyond, t may be infinite, which gives NaN or infinity. e^-x = 2^t = 2^floor(t) 2^f
// with 0 <= f < 1. A division costs no more than the processor's reciprocal of 14 bits and a step
// of Newton's method.
template <typename Set>
inline typename Set::F coarse_silu(typename Set::F t) {
#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
  using F = typename Set::F;
  constexpr int kFromFloor = 1;
  const F f = _mm512_reduce_ps(t, kFromFloor);
  // Of degree 4, fitted for the least relative error, 2.7e-6.
  F p = f * 0.01352060f + 0.05203743f;
  p = p * f + 0.24142750f;
  p = p * f + 0.69300663f;
  p = p * f + 1.00000250f;
  return t / (_mm512_scalef_ps(p, t) + 1.0f);
#else
  static_assert(Set::kHasDot, "needs AVX-512");
  return t;
#endif
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

}  // namespace yolocu::cpu
