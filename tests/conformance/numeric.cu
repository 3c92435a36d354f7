// Conversions, bit for bit, and the approximate functions within their stated errors.
#include <bit>

#include "kernels/device/numeric.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/number_format.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;

constexpr int64_t kNumericThreads = 128, kNumericBlocks = 2;
constexpr LaunchConfig kNumericLaunch = {.grid = {kNumericBlocks}, .block = {kNumericThreads}};
constexpr int64_t kFloatCount = 32768, kApproximateCount = 8192;
constexpr uint32_t kFloatNan = 0x7FFFFFFF;

// Calls f(i) for i in [0, count), by all threads of the grid.
template <typename F>
YOLOCU_DEVICE void for_each_element(int64_t count, F f) {
  const int64_t first = device::block_index().x * kNumericThreads + device::thread_rank();
  for (int64_t i = first; i < count; i += kNumericBlocks * kNumericThreads) f(i);
}

// Which numbers a case looks at. The bits of a NaN are a case of their own.
enum class Which : uint8_t { kNumbers, kNans };

// out [65536] or [256]: the floats of those T whose magnitude, as bits, is at most `most`
// (kNumbers) or more than that (kNans); the others stay. T: Half, Bfloat16 or E4m3.
template <typename T>
YOLOCU_KERNEL widen(GlobalPtr<float> out, GlobalPtr<const float>, Which which, int64_t most) {
  constexpr int64_t kCount = int64_t{1} << (8 * sizeof(T));
  for_each_element(kCount, [=](int64_t i) {
    const bool is_nan = i % (kCount / 2) > most;
    if (is_nan != (which == Which::kNans)) return;
    T value;
    value.bits = static_cast<decltype(value.bits)>(i);
    out.store(i, device::to_float(value));
  });
}

// A NaN becomes the one NaN; of bfloat16, whose bits are a float's, it keeps its bits.
Expectation expect_widened(const NumberFormat& format, Which which) {
  std::vector<uint32_t> out(size_t{2} << format.sign_shift(), 0xFFFFFFFF);
  for (uint32_t bits = 0; bits < out.size(); ++bits) {
    const double value = value_of(format, bits);
    if (std::isnan(value) != (which == Which::kNans)) continue;
    out[bits] = std::bit_cast<uint32_t>(static_cast<float>(value));
    if (std::isnan(value)) out[bits] = format.exponent_bits == 8 ? bits << 16 : kFloatNan;
  }
  return {bytes_of(out)};
}

template <typename T>
Case widening_case(const std::string& name, const NumberFormat& format, Which which) {
  return kernel_case(
      "numeric/" + name + (which == Which::kNans ? "_nan_to_f32" : "_to_f32"), widen<T>,
      kNumericLaunch, {0, int64_t{4} << (8 * sizeof(T))},
      [=](std::span<const uint8_t>) { return expect_widened(format, which); }, which,
      int64_t{format.most()});
}

// in [n] floats; out [n] T.
template <typename T>
YOLOCU_KERNEL narrow(GlobalPtr<T> out, GlobalPtr<const float> in) {
  for_each_element(kFloatCount, [=](int64_t i) {
    if constexpr (sizeof(T) == 1) {
      out.store(i, device::to_e4m3(in.load(i)));
    } else {
      out.store(i, device::from_float<T>(in.load(i)));
    }
  });
}

// in [n] floats; out [n / 2] pairs of T.
template <typename T>
YOLOCU_KERNEL narrow_pairs(GlobalPtr<uint32_t> out, GlobalPtr<const float> in) {
  for_each_element(kFloatCount / 2, [=](int64_t i) {
    out.store(i, device::pack_pair<T>(in.load(2 * i), in.load(2 * i + 1)));
  });
}

// Floats that are hard to round to `format`: its numbers, halfway between them, and one float
// above or below that; and any bits.
Bytes floats_to_narrow(const NumberFormat& format, uint64_t seed) {
  Random random(seed);
  std::vector<uint32_t> floats(kFloatCount);
  for (size_t i = 0; i < floats.size(); ++i) {
    floats[i] = static_cast<uint32_t>(random.next());
    if (i % 4 == 0) continue;
    const uint32_t number = floats[i] & ((2u << format.sign_shift()) - 1);
    const double low = value_of(format, number), high = value_of(format, number + 1);
    const double between = i % 4 == 1 ? low : (low + high) / 2;
    floats[i] = std::bit_cast<uint32_t>(static_cast<float>(between));
    if (i % 4 == 3) floats[i] += (floats[i] & 1) != 0 ? 1 : 0xFFFFFFFF;
    if (i % 16 == 2) floats[i] += random.below(3) - 1;
  }
  return bytes_of(floats);
}

template <typename T>
Expectation expect_narrowed(std::span<const uint8_t> input, const NumberFormat& format) {
  std::vector<T> out;
  for (const float value : values_of<float>(input)) {
    const uint32_t nan = format.top == Top::kFinite ? 0x7F : 0x7FFF;
    const uint32_t bits = std::isnan(value) ? nan : nearest(format, double{value});
    out.push_back({static_cast<decltype(T::bits)>(bits)});
  }
  return {bytes_of(out)};
}

YOLOCU_KERNEL exp_of(GlobalPtr<float> out, GlobalPtr<const float> in) {
  for_each_element(kApproximateCount,
                   [=](int64_t i) { out.store(i, device::fast_exp(in.load(i))); });
}

YOLOCU_KERNEL reciprocal_of(GlobalPtr<float> out, GlobalPtr<const float> in) {
  for_each_element(kApproximateCount,
                   [=](int64_t i) { out.store(i, device::fast_reciprocal(in.load(i))); });
}

// in [n] triples a, b, c; out [n] = a * b - c.
YOLOCU_KERNEL multiply_and_subtract(GlobalPtr<double> out, GlobalPtr<const double> in) {
  for_each_element(kApproximateCount, [=](int64_t i) {
    out.store(i, device::multiply_unfused(in.load(3 * i), in.load(3 * i + 1)) - in.load(3 * i + 2));
  });
}

// a * b, by itself: nothing here is added to it.
double rounded_product(double a, double b) {
  const volatile double product = a * b;
  return product;
}

// Every other c is the rounded product: a fused result is its rounding error instead of 0.
Bytes factors(uint64_t seed) {
  Random random(seed);
  std::vector<double> numbers;
  for (int64_t i = 0; i < kApproximateCount; ++i) {
    const double a = random.uniform(-2000, 2000), b = random.uniform(0, 9);
    numbers.insert(numbers.end(), {a, b, i % 2 == 0 ? 0.5 : rounded_product(a, b)});
  }
  return bytes_of(numbers);
}

Expectation expect_differences(std::span<const uint8_t> input) {
  const std::vector<double> numbers = values_of<double>(input);
  std::vector<double> out;
  for (size_t i = 0; i < numbers.size(); i += 3) {
    out.push_back(rounded_product(numbers[i], numbers[i + 1]) - numbers[i + 2]);
  }
  return {bytes_of(out)};
}

// From where the result is a subnormal number to where it is infinity.
Bytes exponents(uint64_t seed) {
  Random random(seed);
  std::vector<float> floats(kApproximateCount);
  for (float& value : floats) value = static_cast<float>(random.uniform(-102, 88.7));
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, 89.0f, 1e30f, -1e30f, 1e-30f};
  std::copy(std::begin(special), std::end(special), floats.begin());
  return bytes_of(floats);
}

Bytes divisors(uint64_t seed) {
  Random random(seed);
  std::vector<float> floats(kApproximateCount);
  for (float& value : floats) {
    value = static_cast<float>(
        std::ldexp(random.uniform(1, 2), static_cast<int>(random.below(250)) - 125));
    if (random.below(2) == 0) value = -value;
  }
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, 1.0f, -4.0f};
  std::copy(std::begin(special), std::end(special), floats.begin());
  return bytes_of(floats);
}

// 2^-22 + |x| 2^-23, relative; and what is lost where subnormal results are 0.
Expectation expect_exponentials(std::span<const uint8_t> input) {
  std::vector<float> out;
  std::vector<double> tolerance;
  for (const float x : values_of<float>(input)) {
    const double exact = std::exp(double{x});
    out.push_back(static_cast<float>(exact));
    const bool finite = std::isfinite(out.back()) && out.back() != 0;
    tolerance.push_back(finite ? exact * (0x1p-22 + std::fabs(double{x}) * 0x1p-23) + 0x1p-126 : 0);
  }
  return {bytes_of(out), tolerance};
}

// 1 ulp, which is at most 2^-23, relative.
Expectation expect_reciprocals(std::span<const uint8_t> input) {
  std::vector<float> out;
  std::vector<double> tolerance;
  for (const float x : values_of<float>(input)) {
    out.push_back(1.0f / x);
    tolerance.push_back(std::isfinite(out.back()) ? std::fabs(double{out.back()}) * 0x1p-23 : 0);
  }
  return {bytes_of(out), tolerance};
}

template <typename T>
void add_conversion_cases(Cases& cases, const std::string& name, const NumberFormat& format) {
  constexpr int64_t kSize = sizeof(T);
  const auto input = [format](uint64_t seed) { return floats_to_narrow(format, seed); };
  const auto expect = [format](std::span<const uint8_t> floats) {
    return expect_narrowed<T>(floats, format);
  };
  cases.push_back(widening_case<T>(name, format, Which::kNumbers));
  cases.push_back(widening_case<T>(name, format, Which::kNans));
  cases.push_back(kernel_case("numeric/f32_to_" + name, narrow<T>, kNumericLaunch,
                              {kFloatCount * 4, kFloatCount * kSize}, expect));
  cases.back().input = input;
  if constexpr (kSize == 2) {
    cases.push_back(kernel_case("numeric/f32_pairs_to_" + name, narrow_pairs<T>, kNumericLaunch,
                                {kFloatCount * 4, kFloatCount * kSize}, expect));
    cases.back().input = input;
  }
}

void add_numeric_cases(Cases& cases) {
  add_conversion_cases<device::Half>(cases, "f16", kHalfFormat);
  add_conversion_cases<device::Bfloat16>(cases, "bf16", kBfloat16Format);
  add_conversion_cases<device::E4m3>(cases, "e4m3", kE4m3Format);
  constexpr CaseBytes kBytes = {kApproximateCount * 4, kApproximateCount * 4};
  cases.push_back(
      kernel_case("numeric/fast_exp", exp_of, kNumericLaunch, kBytes, expect_exponentials));
  cases.back().input = exponents;
  cases.push_back(kernel_case("numeric/fast_reciprocal", reciprocal_of, kNumericLaunch, kBytes,
                              expect_reciprocals));
  cases.back().input = divisors;
  cases.push_back(kernel_case("numeric/multiply_unfused", multiply_and_subtract, kNumericLaunch,
                              {kApproximateCount * 24, kApproximateCount * 8}, expect_differences));
  cases.back().input = factors;
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
