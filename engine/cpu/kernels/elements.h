// The element types of feature maps as the kernels see them.
#pragma once

#include <cstdint>

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
#include <immintrin.h>
#endif

#include "engine/cpu/kernels/instruction_set.h"

namespace yolocu::cpu {

inline constexpr int kRun = 4;  // bytes of 4 vectors of floats fill one vector

// kI8: q in [-127, 127], stored as q + 128 in a byte, as the dot products of AVX-512 VNNI want one
// unsigned operand; what q is worth is in the scales of tasks. kI16: no feature maps, but what
// Winograd's transforms make of int8.
enum class Element : uint8_t { kF32, kBf16, kI8, kI16 };

constexpr int64_t element_bytes(Element element) {
  switch (element) {
    case Element::kF32: return 4;
    case Element::kBf16:
    case Element::kI16: return 2;
    case Element::kI8: return 1;
  }
  return 4;
}

// For each: Source (of feature maps), Weight, Accumulator, and kPack, how many input channels one
// multiply-add of a lane takes. dot(): accumulator + source x weight. broadcast_source(): the kPack
// channels at `x` in every lane. load_floats, store_floats: kLanes elements as floats, stored
// rounded to nearest even (kI8: units of the scale, saturated; NaN is -127, as quantize_int8()
// does). load_stored, of kI8: q + 128 as floats. store_run, of kI8: kRun vectors one after the
// other. kIsCoarse: half a unit in the last place is above 2^-10 of the value, so that an
// activation need not be better than 2^-13.
template <typename Set>
struct F32Element {
  using Source = float;
  using Weight = float;
  using Accumulator = typename Set::F;
  static constexpr int kPack = 1;
  static constexpr bool kIsCoarse = false;
  static constexpr Source kPadding = 0;  // what a convolution sees outside of the picture

  static Accumulator broadcast_source(const Source* x) { return broadcast<Set>(*x); }
  static Accumulator load_weights(const Weight* w) { return load<Accumulator>(w); }
  static Accumulator dot(Accumulator a, Accumulator x, Accumulator w) { return x * w + a; }

  static typename Set::F load_floats(const Source* x) { return load<typename Set::F>(x); }
  static void store_floats(Source* y, typename Set::F value) { store(y, value); }
};

template <typename Set>
struct Bf16Element {
  using Source = uint16_t;
  using Weight = uint16_t;
  using Accumulator = typename Set::F;
  static constexpr int kPack = 2;
  static constexpr bool kIsCoarse = true;
  static constexpr Source kPadding = 0;

  static typename Set::F load_floats(const Source* x) {
    const auto bits = __builtin_convertvector(load<typename Set::H>(x), typename Set::U);
    return bits_as<typename Set::F>(bits << 16);
  }

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
  static __m512bh broadcast_source(const Source* x) {
    return bits_as<__m512bh>(_mm512_set1_epi32(load<int32_t>(x)));
  }
  static __m512bh load_weights(const Weight* w) {
    return load<__m512bh>(w);
  }
  static Accumulator dot(Accumulator a, __m512bh x, __m512bh w) {
    return _mm512_dpbf16_ps(a, x, w);
  }
  static void store_floats(Source* y, typename Set::F value) {
    store(y, _mm512_cvtneps_pbh(value));
  }
#endif
};

template <typename Set>
struct Int8Element {
  using Source = uint8_t;
  using Weight = int8_t;
  using Accumulator = typename Set::I;
  static constexpr int kPack = 4;
  static constexpr bool kIsCoarse = true;
  static constexpr int kZero = 128;  // q = 0
  static constexpr Source kPadding = kZero;

  static typename Set::F load_floats(const Source* x) { return load_stored(x) - float{kZero}; }
  static typename Set::F load_stored(const Source* x) {
#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
    // GCC 12 converts bytes one by one otherwise.
    const auto bytes = bits_as<typename Set::I>(_mm512_cvtepu8_epi32(load<__m128i>(x)));
#else
    const auto bytes = __builtin_convertvector(load<typename Set::B>(x), typename Set::I);
#endif
    return __builtin_convertvector(bytes, typename Set::F);
  }
  // q + 128 as well.
  static typename Set::H load_units(const Source* x) {
    return __builtin_convertvector(load<typename Set::B>(x), typename Set::H);
  }
  static void store_floats(Source* y, typename Set::F value) {
    using F = typename Set::F;
    constexpr float kMost = 127.0f;
    constexpr float kOnesAreLastBits = 12582912.0f;  // 1.5 x 2^23: adding it rounds
    value = value > -kMost ? value : broadcast<Set>(-kMost);
    value = value < kMost ? value : broadcast<Set>(kMost);
    const F rounded = value + kOnesAreLastBits;
    // The low bits of `rounded` are q.
    const auto units = bits_as<typename Set::I>(rounded) + kZero;
    store(y, __builtin_convertvector(units, typename Set::B));
  }

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
  static __m512i broadcast_source(const Source* x) {
    return _mm512_set1_epi32(load<int32_t>(x));
  }
  static __m512i load_weights(const Weight* w) {
    return load<__m512i>(w);
  }
  static Accumulator dot(Accumulator a, __m512i x, __m512i w) {
    return bits_as<Accumulator>(_mm512_dpbusd_epi32(bits_as<__m512i>(a), x, w));
  }
  static void store_run(Source* y, const typename Set::F* values) {
    __m512i units[kRun];
    for (int i = 0; i < kRun; ++i) {
      // min() is its second operand where that is NaN, which becomes the least integer.
      units[i] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(127.0f), values[i]));
    }
    // Saturated bytes. Packing goes by quarters of vectors: four lanes of each of the four pixels,
    // then the next four.
    const __m512i quarters = _mm512_packs_epi16(_mm512_packs_epi32(units[0], units[1]),
                                                _mm512_packs_epi32(units[2], units[3]));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i pixels = _mm512_permutexvar_epi32(order, quarters);
    const __m512i bounded = _mm512_max_epi8(pixels, _mm512_set1_epi8(-127));
    store(y, _mm512_xor_si512(bounded, _mm512_set1_epi8(-kZero)));
  }
#endif
};

// Sums wrap around.
template <typename Set>
struct I16Element {
  using Source = int16_t;
  using Weight = int16_t;
  using Accumulator = typename Set::U;
  static constexpr int kPack = 2;

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
  static __m512i broadcast_source(const Source* x) {
    return _mm512_set1_epi32(load<int32_t>(x));
  }
  static __m512i load_weights(const Weight* w) {
    return load<__m512i>(w);
  }
  static Accumulator dot(Accumulator a, __m512i x, __m512i w) {
    return bits_as<Accumulator>(_mm512_dpwssd_epi32(bits_as<__m512i>(a), x, w));
  }
#endif
};

}  // namespace yolocu::cpu
