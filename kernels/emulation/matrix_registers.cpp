#include "kernels/emulation/matrix_registers.h"

#include <array>
#include <bit>
#include <cstring>

#include "engine/base/half.h"
#include "kernels/device/e4m3.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace yolocu::emulation {
namespace {

// Eight vectors of sums fit the registers of AVX-512; narrower machines split each in two or four.
constexpr uint32_t kVectorWords = 16;
constexpr uint32_t kRowsAtOnce = 8;
constexpr uint32_t kMostColumns = 256;
constexpr uint32_t kMostDepth = 32;

template <typename Number>
using Vector [[gnu::vector_size(kVectorWords * sizeof(Number))]] = Number;

// b [columns, depth] -> [depth, columns], the columns padded with zeros to whole vectors.
template <typename Number>
struct alignas(64) Transposed {
  Number rows[kMostDepth][kMostColumns];

  [[gnu::always_inline]] void fill(const uint32_t* b, const ProductShape& shape) {
    const uint32_t padded = (shape.columns + kVectorWords - 1) / kVectorWords * kVectorWords;
    for (uint32_t n = 0; n < shape.columns; ++n) {
      Number row[kMostDepth];
      std::memcpy(row, b + size_t{n} * shape.depth, shape.depth * sizeof(Number));
      for (uint32_t k = 0; k < shape.depth; ++k) rows[k][n] = row[k];
    }
    for (uint32_t k = 0; k < shape.depth; ++k) {
      for (uint32_t n = shape.columns; n < padded; ++n) rows[k][n] = 0;
    }
  }
};

// kRowsAtOnce rows by up to kVectorWords columns of the product.
template <typename Number>
[[gnu::always_inline]] inline void add_block(uint32_t* c, const uint32_t* a, const Number* b,
                                             const ProductShape& shape, uint32_t columns) {
  Vector<Number> sums[kRowsAtOnce] = {};
  const size_t bytes = columns * sizeof(Number);
  for (uint32_t m = 0; m < kRowsAtOnce; ++m) std::memcpy(&sums[m], c + m * shape.columns, bytes);
  for (uint32_t k = 0; k < shape.depth; ++k) {
    Vector<Number> row;
    std::memcpy(&row, b + size_t{k} * kMostColumns, sizeof(row));
    for (uint32_t m = 0; m < kRowsAtOnce; ++m) {
      sums[m] += std::bit_cast<Number>(a[m * shape.depth + k]) * row;
    }
  }
  for (uint32_t m = 0; m < kRowsAtOnce; ++m) std::memcpy(c + m * shape.columns, &sums[m], bytes);
}

template <typename Number>
[[gnu::always_inline]] inline void multiply_with(uint32_t* c, const uint32_t* a, const uint32_t* b,
                                                 const ProductShape& shape) {
  Transposed<Number> transposed;
  transposed.fill(b, shape);
  for (uint32_t m = 0; m < shape.rows; m += kRowsAtOnce) {
    for (uint32_t n = 0; n < shape.columns; n += kVectorWords) {
      uint32_t* block = c + size_t{m} * shape.columns + n;
      const uint32_t* rows = a + size_t{m} * shape.depth;
      if (shape.columns - n >= kVectorWords) {
        add_block(block, rows, &transposed.rows[0][n], shape, kVectorWords);
      } else {
        add_block(block, rows, &transposed.rows[0][n], shape, shape.columns - n);
      }
    }
  }
}

// Unsigned, so that sums wrap.
[[gnu::always_inline]] inline void multiply_any(MatrixElement element, uint32_t* c,
                                                const uint32_t* a, const uint32_t* b,
                                                const ProductShape& shape) {
  if (is_integer(element)) {
    multiply_with<uint32_t>(c, a, b, shape);
  } else {
    multiply_with<float>(c, a, b, shape);
  }
}

void widen_halves(uint32_t* words, const std::byte* bytes) {
  for (size_t i = 0; i < 8; ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, sizeof(bits));
    words[i] = std::bit_cast<uint32_t>(half_to_float(bits));
  }
}

void widen_bfloat16s(uint32_t* words, const std::byte* bytes) {
  for (size_t i = 0; i < 8; ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, sizeof(bits));
    words[i] = uint32_t{bits} << 16;
  }
}

void widen_bytes(uint32_t* words, const std::byte* bytes) {
  for (size_t i = 0; i < 16; ++i) {
    words[i] = static_cast<uint32_t>(static_cast<int8_t>(bytes[i]));
  }
}

constexpr auto kFloatBitsOfE4m3 = [] {
  std::array<uint32_t, 256> table = {};
  for (uint32_t i = 0; i < table.size(); ++i) {
    table[i] = device::float_bits_of_e4m3(static_cast<uint8_t>(i));
  }
  return table;
}();

void widen_e4m3s(uint32_t* words, const std::byte* bytes) {
  for (size_t i = 0; i < 16; ++i) words[i] = kFloatBitsOfE4m3[static_cast<uint8_t>(bytes[i])];
}

using WidenHalves = void (*)(uint32_t* words, const uint32_t* offsets,
                             const std::byte* const* chunks);
using Multiply = void (*)(MatrixElement, uint32_t*, const uint32_t*, const uint32_t*,
                          const ProductShape&);

void widen_half_tile(uint32_t* words, const uint32_t* offsets, const std::byte* const* chunks) {
  for (size_t i = 0; i < kTileChunks; ++i) widen_halves(words + offsets[i], chunks[i]);
}

void multiply_portable(MatrixElement element, uint32_t* c, const uint32_t* a, const uint32_t* b,
                       const ProductShape& shape) {
  multiply_any(element, c, a, b, shape);
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma,f16c")]] void widen_half_tile_f16c(uint32_t* words, const uint32_t* offsets,
                                                           const std::byte* const* chunks) {
  for (size_t i = 0; i < kTileChunks; ++i) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(chunks[i]));
    _mm256_storeu_ps(reinterpret_cast<float*>(words + offsets[i]), _mm256_cvtph_ps(halves));
  }
}

[[gnu::target("avx2,fma,f16c")]] void multiply_avx2(MatrixElement element, uint32_t* c,
                                                    const uint32_t* a, const uint32_t* b,
                                                    const ProductShape& shape) {
  multiply_any(element, c, a, b, shape);
}

[[gnu::target("avx512f,avx512dq,avx512bw,avx512vl,fma,prefer-vector-width=512")]] void
multiply_avx512(MatrixElement element, uint32_t* c, const uint32_t* a, const uint32_t* b,
                const ProductShape& shape) {
  multiply_any(element, c, a, b, shape);
}

Multiply best_multiply() {
  if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    return multiply_avx512;
  }
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? multiply_avx2
                                                                         : multiply_portable;
}

WidenHalves best_widen_halves() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c") ? widen_half_tile_f16c
                                                                          : widen_half_tile;
}
#else
Multiply best_multiply() {
  return multiply_portable;
}

WidenHalves best_widen_halves() {
  return widen_half_tile;
}
#endif

}  // namespace

uint32_t widen_element(MatrixElement element, uint32_t bits) {
  switch (element) {
    case MatrixElement::kHalf:
      return std::bit_cast<uint32_t>(half_to_float(static_cast<uint16_t>(bits)));
    case MatrixElement::kBfloat16: return bits << 16;
    case MatrixElement::kInt8: return static_cast<uint32_t>(static_cast<int8_t>(bits));
    case MatrixElement::kE4m3: return kFloatBitsOfE4m3[bits & 0xFFu];
  }
  return 0;
}

void widen_tile(MatrixElement element, uint32_t* words, const uint32_t* offsets,
                const std::byte* const* chunks) {
  static const WidenHalves kWidenHalves = best_widen_halves();
  if (element == MatrixElement::kHalf) return kWidenHalves(words, offsets, chunks);
  const auto widen = element == MatrixElement::kBfloat16 ? widen_bfloat16s
                     : element == MatrixElement::kInt8   ? widen_bytes
                                                         : widen_e4m3s;
  for (size_t i = 0; i < kTileChunks; ++i) widen(words + offsets[i], chunks[i]);
}

void multiply_matrices(MatrixElement element, uint32_t* c, const uint32_t* a, const uint32_t* b,
                       const ProductShape& shape) {
  static const Multiply kMultiply = best_multiply();
  kMultiply(element, c, a, b, shape);
}

}  // namespace yolocu::emulation
