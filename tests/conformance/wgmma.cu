// wgmma against products of matrices: types, columns, swizzles, majors, operands in registers.
#include "kernels/device/wgmma.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/matrices.h"
#include "tests/conformance/registry.h"
#include "tests/conformance/wgmma_operand.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::Accumulate;
using device::GlobalPtr;
using device::Major;
using device::MatrixSum;
using device::WarpgroupSums;

constexpr int64_t kWgmmaRows = 64, kBytesA = kWgmmaRows * 128;
// Rows of a for fragments: 128 bytes and a gap, against bank conflicts.
constexpr int64_t kFragmentPitch = 144, kFragmentBytes = 10240;

// Descriptors without the base of shared memory: where each step begins, the offsets, the mode.
struct OperandSteps {
  int32_t start[kWgmmaSteps];
  uint32_t leading_bytes, stride_bytes;
  Swizzle swizzle;
};

template <typename T>
YOLOCU_DEVICE uint64_t descriptor_of(const OperandSteps& steps, int step) {
  return device::wgmma_operand(device::shared_memory<T>(steps.start[step]), steps.leading_bytes,
                               steps.stride_bytes, steps.swizzle);
}

template <typename T, int kN>
YOLOCU_DEVICE void store_sums(GlobalPtr<MatrixSum<T>> out, const WarpgroupSums<T, kN>& sums) {
  YOLOCU_UNROLL
  for (int i = 0; i < kN / 2; ++i) {
    out.store(device::warpgroup_sum_row(i) * kN + device::warpgroup_sum_column(i), sums.get(i));
  }
}

// out [64, kN] = a * b^T. in: shared memory, shared_bytes.
template <typename T, int kN, Major kMajorA, Major kMajorB>
YOLOCU_KERNEL multiply_shared(GlobalPtr<MatrixSum<T>> out, GlobalPtr<const uint32_t> in,
                              OperandSteps a, OperandSteps b, int64_t shared_bytes) {
  read_to_shared(in, shared_bytes / 4);
  device::fence_async_proxy_in_block();
  device::sync_block();
  WarpgroupSums<T, kN> sums;
  device::wgmma_fence(sums);
  YOLOCU_UNROLL
  for (int step = 0; step < kWgmmaSteps; ++step) {
    device::wgmma<kMajorA, kMajorB>(sums, descriptor_of<T>(a, step), descriptor_of<T>(b, step),
                                    step == 0 ? Accumulate::kReplace : Accumulate::kAdd);
  }
  device::wgmma_commit();
  device::wgmma_wait<0>(sums);
  store_sums(out, sums);
}

// out = 3 + a * b^T with a from registers, in two groups. a [64, 128 bytes], rows kFragmentPitch
// apart.
template <typename T, int kN, Major kMajorB>
YOLOCU_KERNEL multiply_registers(GlobalPtr<MatrixSum<T>> out, GlobalPtr<const uint32_t> in,
                                 OperandSteps b, int64_t shared_bytes) {
  read_to_shared(in, shared_bytes / 4);
  device::fence_async_proxy();
  device::sync_block();
  const auto place = device::fragment_a_row(device::lane());
  const int64_t row = (device::warp_rank() * 16 + place.row) * kFragmentPitch + place.byte;
  device::FragmentA<T, 1> a[kWgmmaSteps];
  YOLOCU_UNROLL
  for (int step = 0; step < kWgmmaSteps; ++step) {
    device::load_fragment(a[step], device::shared_memory<T>(row + 32 * step));
  }
  WarpgroupSums<T, kN> sums;
  sums.fill(3);
  device::wgmma_fence(sums);
  device::wgmma<kMajorB>(sums, a[0], descriptor_of<T>(b, 0), Accumulate::kAdd);
  device::wgmma<kMajorB>(sums, a[1], descriptor_of<T>(b, 1), Accumulate::kAdd);
  device::wgmma_commit();
  device::wgmma<kMajorB>(sums, a[2], descriptor_of<T>(b, 2), Accumulate::kAdd);
  device::wgmma<kMajorB>(sums, a[3], descriptor_of<T>(b, 3), Accumulate::kAdd);
  device::wgmma_commit();
  device::wgmma_wait<0>(sums);
  store_sums(out, sums);
}

OperandSteps steps_of(const WgmmaOperand& operand, int64_t base) {
  OperandSteps steps = {.start = {},
                        .leading_bytes = static_cast<uint32_t>(operand.leading_bytes()),
                        .stride_bytes = static_cast<uint32_t>(operand.stride_bytes()),
                        .swizzle = operand.swizzle};
  for (int64_t step = 0; step < kWgmmaSteps; ++step) {
    steps.start[step] = static_cast<int32_t>(base + operand.step_start(step));
  }
  return steps;
}

// Both matrices, k contiguous, from the seed.
template <typename T>
struct Factors {
  std::vector<T> a, b;
};

template <typename T>
Factors<T> random_factors(int64_t columns, Numbers numbers, uint64_t seed) {
  constexpr size_t kDepth = kWgmmaSteps * 32 / sizeof(T);
  Random random(seed);
  Factors<T> factors;
  factors.a = random_elements<T>(static_cast<size_t>(kWgmmaRows) * kDepth, numbers, random);
  factors.b = random_elements<T>(static_cast<size_t>(columns) * kDepth, numbers, random);
  return factors;
}

// The seed follows what the kernel reads.
template <typename T>
std::function<Expectation(std::span<const uint8_t>)> product_of_seed(int64_t columns,
                                                                     Numbers numbers, int start) {
  return [=](std::span<const uint8_t> input) {
    const uint64_t seed = values_of<uint64_t>(input.last(8))[0];
    const Factors<T> factors = random_factors<T>(columns, numbers, seed);
    const auto count = static_cast<size_t>(kWgmmaRows * columns);
    return product(factors.a, factors.b, kWgmmaSteps * 32 / sizeof(T), numbers,
                   std::vector<MatrixSum<T>>(count, static_cast<MatrixSum<T>>(start)));
  };
}

std::string swizzle_text(Swizzle swizzle) {
  return swizzle == Swizzle::kNone ? "none" : std::to_string(swizzle_span_bytes(swizzle)) + "b";
}

// How the operands lie.
struct WgmmaPlan {
  Swizzle a = Swizzle::k128B, b = Swizzle::k128B;
  Numbers numbers = Numbers::kSmallIntegers;
};

template <typename T, int kN, Major kMajorA = Major::kK, Major kMajorB = Major::kK>
Case shared_case(const WgmmaPlan& plan = {}) {
  constexpr int64_t kSize = sizeof(T);
  const WgmmaOperand a = {kWgmmaRows, kSize, plan.a, kMajorA}, b = {kN, kSize, plan.b, kMajorB};
  const int64_t shared_bytes = kBytesA + b.bytes();
  const auto major = [](Major m) { return m == Major::kK ? "_k" : "_mn"; };
  Case test = kernel_case("wgmma/" + type_text<T>() + "_n" + std::to_string(kN) + major(kMajorA) +
                              swizzle_text(plan.a) + major(kMajorB) + swizzle_text(plan.b) + "_" +
                              numbers_name(plan.numbers),
                          multiply_shared<T, kN, kMajorA, kMajorB>,
                          {.block = {128}, .shared_bytes = shared_bytes}, {0, kWgmmaRows * kN * 4},
                          product_of_seed<T>(kN, plan.numbers, 0), steps_of(a, 0),
                          steps_of(b, kBytesA), shared_bytes);
  test.needs = Needs::kWgmma;
  test.input = [=](uint64_t seed) {
    const Factors<T> factors = random_factors<T>(kN, plan.numbers, seed);
    Bytes shared(static_cast<size_t>(shared_bytes), kStale);
    place_operand(shared, 0, a, factors.a);
    place_operand(shared, kBytesA, b, factors.b);
    return concatenated(shared, bytes_of(std::vector<uint64_t>{seed}));
  };
  return test;
}

template <typename T, int kN, Major kMajorB = Major::kK>
Case register_case(Swizzle swizzle) {
  constexpr int64_t kSize = sizeof(T), kRowElements = 128 / kSize;
  const WgmmaOperand b = {kN, kSize, swizzle, kMajorB};
  const int64_t shared_bytes = kFragmentBytes + b.bytes();
  const Numbers numbers = Numbers::kSmallIntegers;
  Case test =
      kernel_case("wgmma/" + type_text<T>() + "_n" + std::to_string(kN) + "_registers" +
                      (kMajorB == Major::kK ? "_k" : "_mn") + swizzle_text(swizzle),
                  multiply_registers<T, kN, kMajorB>,
                  {.block = {128}, .shared_bytes = shared_bytes}, {0, kWgmmaRows * kN * 4},
                  product_of_seed<T>(kN, numbers, 3), steps_of(b, kFragmentBytes), shared_bytes);
  test.needs = Needs::kWgmma;
  test.input = [=](uint64_t seed) {
    const Factors<T> factors = random_factors<T>(kN, numbers, seed);
    Bytes shared(static_cast<size_t>(shared_bytes), kStale);
    for (int64_t row = 0; row < kWgmmaRows; ++row) {
      std::memcpy(shared.data() + row * kFragmentPitch, &factors.a[row * kRowElements], 128);
    }
    place_operand(shared, kFragmentBytes, b, factors.b);
    return concatenated(shared, bytes_of(std::vector<uint64_t>{seed}));
  };
  return test;
}

constexpr Swizzle kAllSwizzles[] = {Swizzle::kNone, Swizzle::k32B, Swizzle::k64B, Swizzle::k128B};

template <typename T>
void add_common_cases(Cases& cases) {
  for (const Swizzle swizzle : kAllSwizzles) {
    cases.push_back(shared_case<T, 64>({.a = swizzle, .b = swizzle}));
  }
  cases.push_back(shared_case<T, 64>({.numbers = Numbers::kAny}));
  cases.push_back(shared_case<T, 8>());
  cases.push_back(shared_case<T, 24>());
  cases.push_back(shared_case<T, 128>({.a = Swizzle::k64B}));
  cases.push_back(shared_case<T, 256>({.b = Swizzle::k32B}));
  cases.push_back(register_case<T, 64>(Swizzle::k128B));
}

template <typename T>
void add_major_cases(Cases& cases) {
  for (const Swizzle swizzle : kAllSwizzles) {
    const WgmmaPlan plan = {.a = swizzle, .b = swizzle};
    cases.push_back(shared_case<T, 64, Major::kMN, Major::kK>(plan));
    cases.push_back(shared_case<T, 64, Major::kK, Major::kMN>(plan));
    cases.push_back(shared_case<T, 128, Major::kMN, Major::kMN>(plan));
    cases.push_back(register_case<T, 64, Major::kMN>(swizzle));
  }
}

// Every number of columns has an instruction of its own: 8 * (kIndex + 1), where it exists.
template <typename T, int... kIndex>
void add_column_cases(Cases& cases, std::integer_sequence<int, kIndex...>) {
  const auto add = [&]<int kN>() {
    if constexpr (!std::is_same_v<T, int8_t> || kN <= 32 || kN % 16 == 0) {
      cases.push_back(shared_case<T, kN>({.b = Swizzle::k64B}));
    }
  };
  (add.template operator()<8 * (kIndex + 1)>(), ...);
}

void add_wgmma_cases(Cases& cases) {
  add_common_cases<device::Half>(cases);
  add_common_cases<device::Bfloat16>(cases);
  add_common_cases<int8_t>(cases);
  add_common_cases<device::E4m3>(cases);
  add_column_cases<device::Half>(cases, std::make_integer_sequence<int, 32>());
  add_column_cases<int8_t>(cases, std::make_integer_sequence<int, 32>());
  add_major_cases<device::Half>(cases);
  add_major_cases<device::Bfloat16>(cases);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
