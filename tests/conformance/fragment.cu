// Fragments: ldmatrix and mma.sync as kernels use them, from matrices in shared memory.
#include "kernels/device/fragment.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/matrices.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;
using device::MatrixSum;
using device::MatrixType;

constexpr size_t kFragmentRows = 32, kFragmentColumns = 48, kFragmentSteps = 2;
constexpr uint32_t kPitchBytes = 80;  // of a row in shared memory: its 64 bytes and a gap
constexpr int64_t kPlaneA = 0, kPlaneB = kFragmentRows * kPitchBytes;
constexpr int64_t kPlaneBytes = (kFragmentRows + kFragmentColumns) * kPitchBytes;

// out [32, 48] = 3 + a * b^T. in: a [32, 64 bytes], b [48, 64 bytes], rows kPitchBytes apart.
template <typename T>
YOLOCU_KERNEL multiply_fragments(GlobalPtr<MatrixSum<T>> out, GlobalPtr<const uint32_t> in) {
  read_to_shared(in, kPlaneBytes / 4);
  device::sync_block();
  const auto place_a = device::fragment_a_row(device::lane());
  const auto place_b = device::fragment_b_row(device::lane());
  constexpr int64_t kTileStride = 16 * kPitchBytes / int64_t{sizeof(T)};
  device::FragmentA<T, 2> a;
  device::FragmentB<T, 3> b;
  device::FragmentSums<T, 2, 3> c;
  c.fill(3);
  for (uint32_t step = 0; step < kFragmentSteps; ++step) {
    device::load_fragment(
        a, device::shared_memory<T>(kPlaneA + place_a.row * kPitchBytes + step * 32 + place_a.byte),
        kTileStride);
    device::load_fragment(
        b, device::shared_memory<T>(kPlaneB + place_b.row * kPitchBytes + step * 32 + place_b.byte),
        kTileStride);
    device::multiply_add(c, a, b);
  }
  YOLOCU_UNROLL
  for (int m = 0; m < 2; ++m) {
    YOLOCU_UNROLL
    for (int n = 0; n < 3; ++n) {
      YOLOCU_UNROLL
      for (int i = 0; i < 8; ++i) {
        const int64_t row = 16 * m + device::fragment_sum_row(i);
        const int64_t column = 16 * n + device::fragment_sum_column(i);
        out.store(row * int64_t{kFragmentColumns} + column, c.get(m, n, i));
      }
    }
  }
}

// The elements of [rows, 64 bytes] that lie kPitchBytes apart.
template <typename T>
std::vector<T> without_gaps(std::span<const uint8_t> plane, size_t rows) {
  std::vector<T> elements;
  for (size_t row = 0; row < rows; ++row) {
    const auto line = values_of<T>(plane, row * kPitchBytes, 64 / sizeof(T));
    elements.insert(elements.end(), line.begin(), line.end());
  }
  return elements;
}

template <typename T>
Case fragment_case(Numbers numbers) {
  Case test = kernel_case("fragment/" + type_text<T>() + "_" + numbers_name(numbers),
                          multiply_fragments<T>, {.block = {32}, .shared_bytes = kPlaneBytes},
                          {0, kFragmentRows * kFragmentColumns * 4}, {});
  test.needs = needs_of_type<T>();
  test.input = [numbers](uint64_t seed) {
    Random random(seed);
    return bytes_of(random_elements<T>(kPlaneBytes / sizeof(T), numbers, random));
  };
  test.expect = [numbers](std::span<const uint8_t> input) {
    const auto a = without_gaps<T>(input, kFragmentRows);
    const auto b = without_gaps<T>(input.subspan(kPlaneB), kFragmentColumns);
    const std::vector<MatrixSum<T>> start(kFragmentRows * kFragmentColumns, MatrixSum<T>{3});
    return product(a, b, 64 / sizeof(T), numbers, start);
  };
  return test;
}

template <typename T>
void add_fragment_cases_of(Cases& cases) {
  cases.push_back(fragment_case<T>(Numbers::kSmallIntegers));
  cases.push_back(fragment_case<T>(Numbers::kAny));
}

void add_fragment_cases(Cases& cases) {
  add_fragment_cases_of<device::Half>(cases);
  add_fragment_cases_of<device::Bfloat16>(cases);
  add_fragment_cases_of<int8_t>(cases);
  add_fragment_cases_of<device::E4m3>(cases);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
