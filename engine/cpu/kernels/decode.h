// What decoding heads takes of the vector unit; the formulas are those of postprocess/decode.h.
#pragma once

#include <cstdint>

#include "engine/cpu/kernels/epilogue.h"

namespace yolocu::cpu {

// y[i] = 1 / (1 + e^-x[i]); may be in place.
template <typename Set>
void sigmoid_all(float* y, const float* x, int64_t count) {
  using F = typename Set::F;
  int64_t i = 0;
  for (; i + Set::kLanes <= count; i += Set::kLanes) store(y + i, sigmoid<Set>(load<F>(x + i)));
  if (i == count) return;
  F last = {};
  for (int64_t j = i; j < count; ++j) last[j - i] = x[j];
  last = sigmoid<Set>(last);
  for (int64_t j = i; j < count; ++j) y[j] = last[j - i];
}

// Reduces all lanes to one by `op` of two vectors: halves, quarters and so on change places.
template <typename Set, typename Op>
inline float reduce(typename Set::F x, const Op& op) {
  using I = typename Set::I;
  I lanes = {};
  for (int i = 0; i < Set::kLanes; ++i) lanes[i] = i;
#pragma GCC unroll 4
  for (int apart = Set::kLanes / 2; apart > 0; apart /= 2) {
    x = op(x, __builtin_shuffle(x, lanes ^ apart));
  }
  return x[0];
}

// The greatest of count >= 1 numbers; NaN counts as less than all others.
template <typename Set>
float greatest(const float* x, int64_t count) {
  using F = typename Set::F;
  float most = -__builtin_inff();
  int64_t i = 0;
  if (count >= Set::kLanes) {
    F lanes = broadcast<Set>(most);
    for (; i + Set::kLanes <= count; i += Set::kLanes) {
      const F value = load<F>(x + i);
      lanes = value > lanes ? value : lanes;
    }
    most = reduce<Set>(lanes, [](F a, F b) { return a > b ? a : b; });
  }
  for (; i < count; ++i) most = x[i] > most ? x[i] : most;
  return most;
}

// sides[i] = sum_j j * softmax(logits[i * bins ..])_j for the four sides of a box.
template <typename Set>
void expected_bins(float* sides, const float* logits, int64_t bins) {
  using F = typename Set::F;
  F numbers = {};
  for (int j = 0; j < Set::kLanes; ++j) numbers[j] = static_cast<float>(j);
  for (int side = 0; side < 4; ++side, logits += bins) {
    const float most = greatest<Set>(logits, bins);
    F sums = {};
    F weighted = {};
    for (int64_t begin = 0; begin < bins; begin += Set::kLanes) {
      F values = broadcast<Set>(-__builtin_inff());
      if (begin + Set::kLanes <= bins) {
        values = load<F>(logits + begin);
      } else {
        for (int64_t j = begin; j < bins; ++j) values[j - begin] = logits[j];
      }
      const F powers = exponential<Set>(values - most);
      sums += powers;
      weighted += powers * (numbers + static_cast<float>(begin));
    }
    const auto add = [](F a, F b) { return a + b; };
    sides[side] = reduce<Set>(weighted, add) / reduce<Set>(sums, add);
  }
}

}  // namespace yolocu::cpu
