// What a kernel may use of the processor, as a type that the kernels are templates of: each
// instruction set is compiled in a file of its own with its own compiler flags, and as no two share
// an instantiation, none can end up where another was meant.
//
// Vectors are GCC's: kLanes floats, arithmetic by operators, a * b + c contracted to one fma.
#pragma once

#include <cstdint>

namespace yolocu::cpu {

// Any x86-64 or Arm processor; the compiler splits vectors into what there is.
struct Portable {
  static constexpr int kLanes = 8;
  static constexpr bool kHasDot = false;
  using F = float __attribute__((vector_size(32)));
  using I = int32_t __attribute__((vector_size(32)));
  using U = uint32_t __attribute__((vector_size(32)));
  using H = uint16_t __attribute__((vector_size(16)));
  using B = uint8_t __attribute__((vector_size(8)));
};

// AVX2 and FMA: 16 registers of 8 floats.
struct Avx2 : Portable {};

// AVX-512 F, BW, DQ, VL: 32 registers of 16 floats.
struct Avx512 {
  static constexpr int kLanes = 16;
  static constexpr bool kHasDot = false;
  using F = float __attribute__((vector_size(64)));
  using I = int32_t __attribute__((vector_size(64)));
  using U = uint32_t __attribute__((vector_size(64)));
  using H = uint16_t __attribute__((vector_size(32)));
  using B = uint8_t __attribute__((vector_size(16)));
};

// AVX-512 with BF16 and VNNI: dot products of two bf16 or four 8-bit integers a lane.
struct Avx512Dot : Avx512 {
  static constexpr bool kHasDot = true;
};

// The functions below are inlined always: a copy of one that was compiled for AVX-512 must not
// serve another file.

// Loads and stores at any address. T is a vector type or a scalar.
template <typename T>
[[gnu::always_inline]] inline T load(const void* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
[[gnu::always_inline]] inline void store(void* to, const T& value) {
  __builtin_memcpy(to, &value, sizeof(T));
}

// The same bits as another type.
template <typename To, typename From>
[[gnu::always_inline]] inline To bits_as(const From& from) {
  return __builtin_bit_cast(To, from);
}

template <typename Set>
[[gnu::always_inline]] inline typename Set::F broadcast(float value) {
  return value - typename Set::F{};
}

}  // namespace yolocu::cpu
