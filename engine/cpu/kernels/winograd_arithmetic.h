// The two arithmetics of Winograd's F(4 x 4, 3 x 3): fp32, which rounds, and 16-bit integers, which
// are exact. Each says how inputs are read and transformed, what multiplies them, and how products
// become sums.
//
//   Y = A^T [ (G g G^T) * (B^T d B) ] A      for each 6 x 6 tile d of inputs, summed over channels
//
// Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015; points 0, 1, -1,
// 2, -2. G g G^T is taken when weights are packed: conv_weights.cpp.
#pragma once

#include <cstdint>

#include "engine/cpu/kernels/elements.h"

namespace yolocu::cpu {

// t = B^T d for one column or row of 6.
template <typename T>
[[gnu::always_inline]] inline void transform_inputs(T* t, const T* d) {
  const T even = d[4] - 4 * d[2];
  const T odd = d[3] - 4 * d[1];
  const T even2 = d[4] - d[2];
  const T odd2 = 2 * (d[3] - d[1]);
  t[0] = 4 * d[0] + (d[4] - 5 * d[2]);
  t[1] = even + odd;
  t[2] = even - odd;
  t[3] = even2 + odd2;
  t[4] = even2 - odd2;
  t[5] = 4 * d[1] + (d[5] - 5 * d[3]);
}

// Of feature maps of element In, f32 or bf16. The result differs from the definition's by some 10
// times its rounding error.
template <typename Set, typename In>
struct FloatWinograd {
  using Source = typename In::Source;
  using Product = F32Element<Set>;
  using Input = typename Set::F;  // kLanes channels, transformed
  using Accumulator = typename Set::F;
  using Sum = typename Set::F;

  static constexpr uint16_t kZero = 0;  // what load_inputs() gives for 0

  static Input load_inputs(const Source* x) { return In::load_floats(x); }

  // y = A^T m for one column or row: 6 to 4.
  [[gnu::always_inline]] static void transform_outputs(Accumulator* y, const Accumulator* m) {
    const Accumulator sum12 = m[1] + m[2];
    const Accumulator difference12 = m[1] - m[2];
    const Accumulator sum34 = m[3] + m[4];
    const Accumulator difference34 = m[3] - m[4];
    y[0] = m[0] + sum12 + sum34;
    y[1] = difference12 + 2 * difference34;
    y[2] = sum12 + 4 * sum34;
    y[3] = difference12 + 8 * difference34 + m[5];
  }

  static Sum sum(Accumulator y, int64_t, int64_t) { return y; }
};

// Of int8 feature maps: sum q w as the definition has it, to the last bit, by half of fp32's
// instructions: one vpdpwssd multiplies two channels.
//
// Inputs. The magnitudes of a row of B^T sum to at most 10, so those of B^T q B are at most
// 100 x 127 = 12700: 16 bits hold them.
//
// They are read as q + 128, as they are stored. The rows of B^T sum to 0 but for the second, which
// sums to -6; so 128 everywhere adds 36 x 128 to element (1, 1) of the transformed and nothing else.
//
// Weights. G has fractions. With its rows times D = diag(12, 6, 6, 24, 24, 3) it has none,
//
//   D G = [3 0 0; -1 -1 -1; -1 1 -1; 1 2 4; 1 -2 4; 0 0 3],
//
// whose rows sum to at most 7 in magnitude: 49 x 127 = 6223 at most, 16 bits again.
//
// Outputs. Each row of A^T D^-1 times 24, 12, 6, 6 has only powers of two,
//
//   R = diag(24, 12, 6, 6) A^T D^-1 = [2 4 4 1 1 0; 0 2 -2 1 -1 0; 0 1 1 1 1 0; 0 1 -1 2 -2 2],
//
// so that R M R^T, where M are the sums of products, is Y[i][j] times 9 x 2^(s[i] + s[j]) with
// s = 3, 2, 1, 1.
//
// Overflow. M and what becomes of it may well exceed 32 bits, and wraps around. That does no harm:
// integers modulo 2^32 add, subtract and multiply as integers do, so the end is right modulo 2^32
// whatever happened on the way. There 9 is odd and has an inverse; multiplying by it leaves
// Y x 2^(s[i] + s[j]) modulo 2^32, and an arithmetic shift leaves Y, if the product with the
// largest power, 64, is within 32 bits: -2^25 <= Y < 2^25. Weights for which that is not sure are
// left to direct convolution: fits_winograd() in conv_weights.h.
template <typename Set>
struct Int8Winograd {
  using Source = typename Int8Element<Set>::Source;
  using Product = I16Element<Set>;
  using Input = typename Set::H;  // unsigned, as all that may wrap around
  using Accumulator = typename Set::U;
  using Sum = typename Set::I;

  static constexpr uint16_t kZero = Int8Element<Set>::kZero;

  static Input load_inputs(const Source* x) { return Int8Element<Set>::load_units(x); }

  // y = R m for one column or row: 6 to 4.
  [[gnu::always_inline]] static void transform_outputs(Accumulator* y, const Accumulator* m) {
    const Accumulator sum12 = m[1] + m[2];
    const Accumulator difference12 = m[1] - m[2];
    const Accumulator sum34 = m[3] + m[4];
    const Accumulator difference34 = m[3] - m[4];
    y[0] = 2 * (m[0] + 2 * sum12) + sum34;
    y[1] = 2 * difference12 + difference34;
    y[2] = sum12 + sum34;
    y[3] = difference12 + 2 * (difference34 + m[5]);
  }

  // y[i][j] of a tile.
  static Sum sum(Accumulator y, int64_t i, int64_t j) {
    constexpr uint32_t kInverseOf9 = 954437177;
    static_assert(kInverseOf9 * 9 == 1, "modulo 2^32");
    constexpr int kShifts[] = {3, 2, 1, 1};
    return bits_as<Sum>(y * kInverseOf9) >> (kShifts[i] + kShifts[j]);
  }
};

}  // namespace yolocu::cpu
