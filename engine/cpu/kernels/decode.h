// What decoding heads takes of the vector unit; the formulas are those of postprocess/decode.h.
#pragma once

#include <cstdint>

#include "engine/cpu/kernels/activation.h"

namespace yolocu::cpu {

// y[i] = 1 / (1 + e^-x[i]) of `count` numbers in parts of kLanes, which start `stride` apart.
template <typename Set>
void sigmoid_all(float* y, const float* x, int64_t count, int64_t stride) {
  using F = typename Set::F;
  int64_t i = 0;
  for (; i + Set::kLanes <= count; i += Set::kLanes, x += stride) {
    store(y + i, sigmoid<Set>(load<F>(x)));
  }
  if (i == count) return;
  F last = {};
  for (int64_t j = i; j < count; ++j) last[j - i] = x[j - i];
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

// The greatest of count >= 1 numbers in such parts; NaN counts as less than all others.
template <typename Set>
float greatest(const float* x, int64_t count, int64_t stride) {
  using F = typename Set::F;
  float most = -__builtin_inff();
  int64_t left = count;
  if (left >= Set::kLanes) {
    F lanes = broadcast<Set>(most);
    for (; left >= Set::kLanes; left -= Set::kLanes, x += stride) {
      const F value = load<F>(x);
      lanes = value > lanes ? value : lanes;
    }
    most = reduce<Set>(lanes, [](F a, F b) { return a > b ? a : b; });
  }
  for (int64_t i = 0; i < left; ++i) most = x[i] > most ? x[i] : most;
  return most;
}

// Of each of four vectors, all lanes reduced to one by `op`, which every lane of its quarter of the
// result holds: quarters are of x[0], x[2], x[1], x[3]. Lanes are halved by joining two vectors.
template <typename Set, typename Op>
inline typename Set::F reduce_four(const typename Set::F* x, const Op& op) {
  using F = typename Set::F;
  using I = typename Set::I;
  constexpr int kLanes = Set::kLanes;
  const auto join = [&](F a, F b, int apart) {
    I first = {};  // of each 2 * apart lanes the first half, those of b behind those of a
    for (int i = 0; i < kLanes; ++i) first[i] = i / apart % 2 == 0 ? i : kLanes + i - apart;
    return op(__builtin_shuffle(a, b, first), __builtin_shuffle(a, b, first + apart));
  };
  F all = join(join(x[0], x[1], kLanes / 2), join(x[2], x[3], kLanes / 2), kLanes / 4);
  I lanes = {};
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
#pragma GCC unroll 2
  for (int apart = kLanes / 8; apart > 0; apart /= 2) {
    all = op(all, __builtin_shuffle(all, lanes ^ apart));
  }
  return all;
}

// sides[i] = sum_j j * softmax(logits[i * stride ..])_j, j < bins, for the four sides of a box; the
// bins of a side lie together.
template <typename Set>
void expected_bins(float* sides, const float* logits, int64_t bins, int64_t stride) {
  using F = typename Set::F;
  using I = typename Set::I;
  constexpr int kLanes = Set::kLanes;
  constexpr int kLaneOf[] = {0, kLanes / 2, kLanes / 4, 3 * kLanes / 4};  // in reduce_four()
  F numbers = {};
  for (int j = 0; j < kLanes; ++j) numbers[j] = static_cast<float>(j);
  // Bins [begin, begin + kLanes) of a side.
  const auto bins_of = [&](int side, int64_t begin) {
    const float* const x = logits + side * stride + begin;
    if (begin + kLanes <= bins) return load<F>(x);
    F values = broadcast<Set>(-__builtin_inff());
    for (int64_t j = begin; j < bins; ++j) values[j - begin] = x[j - begin];
    return values;
  };
  F greatest[4], sums[4] = {}, weighted[4] = {};
#pragma GCC unroll 4
  for (int side = 0; side < 4; ++side) {
    greatest[side] = broadcast<Set>(-__builtin_inff());
    for (int64_t begin = 0; begin < bins; begin += kLanes) {
      const F values = bins_of(side, begin);
      greatest[side] = values > greatest[side] ? values : greatest[side];
    }
  }
  const F most = reduce_four<Set>(greatest, [](F a, F b) { return a > b ? a : b; });
#pragma GCC unroll 4
  for (int side = 0; side < 4; ++side) {
    const F most_of_side = __builtin_shuffle(most, I{} + kLaneOf[side]);
    for (int64_t begin = 0; begin < bins; begin += kLanes) {
      const F powers = exponential<Set>(bins_of(side, begin) - most_of_side);
      sums[side] += powers;
      weighted[side] += powers * (numbers + static_cast<float>(begin));
    }
  }
  const auto add = [](F a, F b) { return a + b; };
  const F means = reduce_four<Set>(weighted, add) / reduce_four<Set>(sums, add);
#pragma GCC unroll 4
  for (int side = 0; side < 4; ++side) sides[side] = means[kLaneOf[side]];
}

}  // namespace yolocu::cpu
