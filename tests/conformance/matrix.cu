// ldmatrix, stmatrix and mma.sync on registers: which lane holds what.
#include <array>

#include "kernels/device/matrix.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/matrices.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;
using device::MatrixSum;
using device::MatrixType;
using device::Transpose;

constexpr int64_t kPoolRows = 64, kPoolBytes = kPoolRows * 16;
// Rows of the pool that the lanes pass: all different.
constexpr int64_t pool_row(int64_t lane) {
  return (lane * 37 + 11) % kPoolRows;
}

// in [pool rows, 16 bytes]; out [32, kCount] words.
template <int kCount, Transpose kTranspose>
YOLOCU_KERNEL load_matrices(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  read_to_shared(in, kPoolBytes / 4);
  device::sync_block();
  const int64_t lane = device::lane();
  const int64_t row = lane < 8 * kCount ? (lane * 37 + 11) % kPoolRows : 0;
  uint32_t words[kCount];
  device::load_matrix<kCount, kTranspose>(words, device::shared_memory<uint8_t>(row * 16));
  YOLOCU_UNROLL
  for (int i = 0; i < kCount; ++i) out.store(lane * kCount + i, words[i]);
}

// in [32, kCount] words; out [pool rows, 16 bytes].
template <int kCount, Transpose kTranspose>
YOLOCU_KERNEL store_matrices(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  fill_shared(kPoolBytes / 4, 0xFFFFFFFF);
  device::sync_block();
  const int64_t lane = device::lane();
  const int64_t row = lane < 8 * kCount ? (lane * 37 + 11) % kPoolRows : 0;
  uint32_t words[kCount];
  YOLOCU_UNROLL
  for (int i = 0; i < kCount; ++i) words[i] = in.load(lane * kCount + i);
  device::store_matrix<kCount, kTranspose>(device::shared_memory<uint8_t>(row * 16), words);
  device::sync_block();
  write_from_shared(out, kPoolBytes / 4);
}

// Calls f(halfword of the pool, halfword of the registers) for all that the matrices hold: element
// (row, column) of matrix i is in register i of lane 4 * row + column / 2, of the transposed one in
// that of lane 4 * column + row / 2. Source: PTX ISA 9.0, 9.7.14.5.15.
template <typename F>
void for_each_halfword(size_t count, Transpose transpose, F f) {
  for (size_t i = 0; i < count; ++i) {
    for (size_t row = 0; row < 8; ++row) {
      for (size_t column = 0; column < 8; ++column) {
        const size_t slow = transpose == Transpose::kNo ? row : column;
        const size_t fast = transpose == Transpose::kNo ? column : row;
        const auto from = static_cast<size_t>(pool_row(static_cast<int64_t>(8 * i + row)));
        f(from * 8 + column, ((slow * 4 + fast / 2) * count + i) * 2 + fast % 2);
      }
    }
  }
}

template <int kCount, Transpose kTranspose>
void add_matrix_cases(Cases& cases) {
  const std::string suffix =
      "_x" + std::to_string(kCount) + (kTranspose == Transpose::kYes ? "_trans" : "");
  const LaunchConfig config = {.block = {32}, .shared_bytes = kPoolBytes};
  cases.push_back(kernel_case("matrix/load" + suffix, load_matrices<kCount, kTranspose>, config,
                              {kPoolBytes, kCount * 128}, [](std::span<const uint8_t> input) {
                                const auto pool = values_of<uint16_t>(input);
                                std::vector<uint16_t> out(64 * kCount);
                                for_each_halfword(kCount, kTranspose, [&](size_t from, size_t to) {
                                  out[to] = pool[from];
                                });
                                return Expectation{bytes_of(out)};
                              }));
  cases.push_back(with_needs(
      Needs::kSm90, kernel_case("matrix/store" + suffix, store_matrices<kCount, kTranspose>, config,
                                {kCount * 128, kPoolBytes}, [](std::span<const uint8_t> input) {
                                  const auto words = values_of<uint16_t>(input);
                                  std::vector<uint16_t> pool(kPoolBytes / 2, 0xFFFF);
                                  for_each_halfword(
                                      kCount, kTranspose,
                                      [&](size_t to, size_t from) { pool[to] = words[from]; });
                                  return Expectation{bytes_of(pool)};
                                })));
}

// ---- mma.sync ----------------------------------------------------------------------------------

// in: a [32, 4] words, b [32, 2] words, c [32, 4] sums; out [32, 4] sums = c + a * b.
template <typename T>
YOLOCU_KERNEL multiply_registers_once(GlobalPtr<MatrixSum<T>> out, GlobalPtr<const uint32_t> in) {
  const int64_t lane = device::lane();
  const auto start =
      GlobalPtr<const MatrixSum<T>>(reinterpret_cast<const MatrixSum<T>*>(in.get() + 32 * 6));
  uint32_t a[4], b[2];
  MatrixSum<T> c[4];
  YOLOCU_UNROLL
  for (int i = 0; i < 4; ++i) {
    a[i] = in.load(lane * 4 + i);
    c[i] = start.load(lane * 4 + i);
  }
  YOLOCU_UNROLL
  for (int i = 0; i < 2; ++i) b[i] = in.load(128 + lane * 2 + i);
  device::multiply_add_registers<T>(c, a, b);
  YOLOCU_UNROLL
  for (int i = 0; i < 4; ++i) out.store(lane * 4 + i, c[i]);
}

// The operands as matrices: a [16, depth], b [8, depth], c [16, 8].
template <typename T>
struct Operands {
  static constexpr size_t kDepth = MatrixType<T>::kDepth;
  std::vector<T> a, b;
  std::vector<MatrixSum<T>> c;
};

template <typename T>
Operands<T> random_operands(Numbers numbers, uint64_t seed) {
  Random random(seed);
  Operands<T> operands;
  operands.a = random_elements<T>(16 * operands.kDepth, numbers, random);
  operands.b = random_elements<T>(8 * operands.kDepth, numbers, random);
  for (int i = 0; i < 128; ++i) {
    const double start =
        numbers == Numbers::kSmallIntegers ? random.below(17) - 8.0 : random.uniform(-1000, 1000);
    operands.c.push_back(static_cast<MatrixSum<T>>(start));
  }
  return operands;
}

// Row (of a or of b transposed, from a multiple of 8 on) and k of an operand's register i, element
// j. Figures of PTX ISA 9.0, 9.7.14.5.8 and .10: four lanes share a row, each has 32 bits of 16
// bytes; a's registers go down the rows first, then to the second half of k.
template <typename T>
std::array<size_t, 2> operand_place(size_t lane, size_t row_block, size_t half, size_t j) {
  constexpr size_t kElements = 4 / sizeof(T);
  return {row_block * 8 + lane / 4, half * MatrixType<T>::kDepth / 2 + lane % 4 * kElements + j};
}

template <typename T>
Bytes operands_by_lane(const Operands<T>& operands) {
  constexpr size_t kElements = 4 / sizeof(T), kDepth = MatrixType<T>::kDepth;
  std::vector<T> a, b;
  std::vector<MatrixSum<T>> c;
  for (size_t lane = 0; lane < 32; ++lane) {
    for (size_t i = 0; i < 4 * kElements; ++i) {
      const auto at = operand_place<T>(lane, i / kElements % 2, i / kElements / 2, i % kElements);
      a.push_back(operands.a[at[0] * kDepth + at[1]]);
    }
    for (size_t i = 0; i < 2 * kElements; ++i) {
      const auto at = operand_place<T>(lane, 0, i / kElements, i % kElements);
      b.push_back(operands.b[at[0] * kDepth + at[1]]);
    }
    for (size_t i = 0; i < 4; ++i) {
      c.push_back(operands.c[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2]);
    }
  }
  return concatenated(concatenated(bytes_of(a), bytes_of(b)), bytes_of(c));
}

// From [16, 8] to the lanes' order.
template <typename V>
std::vector<V> sums_by_lane(const std::vector<V>& matrix) {
  std::vector<V> out;
  for (size_t i = 0; i < matrix.size(); ++i) {
    const size_t lane = i / 4, row = lane / 4 + i % 4 / 2 * 8, column = lane % 4 * 2 + i % 2;
    out.push_back(matrix[row * 8 + column]);
  }
  return out;
}

// The seed follows the words that the kernel reads: the expectation starts from the matrices.
template <typename T>
void add_multiply_cases(Cases& cases) {
  for (const Numbers numbers : {Numbers::kSmallIntegers, Numbers::kAny}) {
    Case test = kernel_case("matrix/multiply_" + type_text<T>() + "_" + numbers_name(numbers),
                            multiply_registers_once<T>, {.block = {32}}, {0, 512}, {});
    test.needs = needs_of_type<T>();
    test.input = [numbers](uint64_t seed) {
      const Bytes operands = operands_by_lane(random_operands<T>(numbers, seed));
      return concatenated(operands, bytes_of(std::vector<uint64_t>{seed}));
    };
    test.expect = [numbers](std::span<const uint8_t> input) {
      const uint64_t seed = values_of<uint64_t>(input.last(8))[0];
      const Operands<T> operands = random_operands<T>(numbers, seed);
      Expectation expected = product(operands.a, operands.b, operands.kDepth, numbers, operands.c);
      expected.bytes = bytes_of(sums_by_lane(values_of<MatrixSum<T>>(expected.bytes)));
      expected.tolerance = sums_by_lane(expected.tolerance);
      return expected;
    };
    cases.push_back(test);
  }
}

void add_matrix_cases(Cases& cases) {
  add_matrix_cases<1, Transpose::kNo>(cases);
  add_matrix_cases<2, Transpose::kNo>(cases);
  add_matrix_cases<4, Transpose::kNo>(cases);
  add_matrix_cases<1, Transpose::kYes>(cases);
  add_matrix_cases<2, Transpose::kYes>(cases);
  add_matrix_cases<4, Transpose::kYes>(cases);
  add_multiply_cases<device::Half>(cases);
  add_multiply_cases<device::Bfloat16>(cases);
  add_multiply_cases<int8_t>(cases);
  add_multiply_cases<device::E4m3>(cases);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
