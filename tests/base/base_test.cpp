// The leaf of the tree: every 16-bit pattern converted and compared with exact arithmetic in fp64.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "engine/base/checked.h"
#include "engine/base/dtype.h"
#include "engine/base/half.h"
#include "engine/base/str_cat.h"
#include "yolocu/status.h"

namespace yolocu {
namespace {

constexpr int64_t kMax64 = std::numeric_limits<int64_t>::max();

// A 16-bit floating-point format by its definition.
struct Format {
  const char* name;
  int exponent_bits;
  int mantissa_bits;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int infinity_bits() const { return ((1 << exponent_bits) - 1) << mantissa_bits; }

  // Value of a positive pattern up to and including "infinity", which stands for the next power of
  // two: half way to it is where rounding overflows.
  double value(int bits) const {
    const int exponent = bits >> mantissa_bits;
    const int mantissa = bits & ((1 << mantissa_bits) - 1);
    const int implicit = exponent == 0 ? 0 : 1 << mantissa_bits;
    return std::ldexp(mantissa + implicit, std::max(exponent, 1) - bias() - mantissa_bits);
  }

  // The pattern nearest to `x` >= 0, ties to the even pattern, by bisection over value().
  int nearest(double x) const {
    int low = 0, high = infinity_bits();
    if (x >= value(high)) return high;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      (value(middle) <= x ? low : high) = middle;
    }
    const double below = x - value(low), above = value(high) - x;
    if (below != above) return below < above ? low : high;
    return low % 2 == 0 ? low : high;
  }
};

void PrintTo(const Format& format, std::ostream* out) {
  *out << format.name;
}

class SixteenBits : public ::testing::TestWithParam<Format> {};

TEST_P(SixteenBits, EveryPatternWidensExactly) {
  const Format& format = GetParam();
  for (int bits = 0; bits < 0x8000; ++bits) {
    const float positive = format.widen(static_cast<uint16_t>(bits));
    const float negative = format.widen(static_cast<uint16_t>(bits | 0x8000));
    ASSERT_TRUE(std::signbit(negative)) << bits;
    ASSERT_FALSE(std::signbit(positive)) << bits;
    if (bits > format.infinity_bits()) {
      ASSERT_TRUE(std::isnan(positive) && std::isnan(negative)) << bits;
    } else if (bits == format.infinity_bits()) {
      ASSERT_TRUE(std::isinf(positive) && std::isinf(negative)) << bits;
    } else {
      ASSERT_EQ(double{positive}, format.value(bits)) << bits;
      ASSERT_EQ(double{negative}, -format.value(bits)) << bits;
    }
  }
}

TEST_P(SixteenBits, EveryPatternSurvivesTheWayThroughFp32) {
  const Format& format = GetParam();
  for (int bits = 0; bits < 0x10000; ++bits) {
    const auto pattern = static_cast<uint16_t>(bits);
    const uint16_t back = format.narrow(format.widen(pattern));
    if ((bits & 0x7FFF) > format.infinity_bits()) {
      ASSERT_TRUE(std::isnan(format.widen(back))) << bits;
      ASSERT_EQ(back & 0x8000, bits & 0x8000) << bits;
    } else {
      ASSERT_EQ(back, pattern);
    }
  }
}

// Every value, every midpoint between neighbours, and their fp32 neighbours on both sides.
TEST_P(SixteenBits, NarrowingRoundsToNearestEven) {
  const Format& format = GetParam();
  const float infinity = std::numeric_limits<float>::infinity();
  for (int bits = 0; bits < format.infinity_bits(); ++bits) {
    const double middle = (format.value(bits) + format.value(bits + 1)) / 2;
    for (const double centre : {format.value(bits), middle}) {
      const auto x = static_cast<float>(centre);
      ASSERT_EQ(double{x}, centre) << "the midpoint is exact in fp32";
      for (const float v : {x, std::nextafter(x, 0.0f), std::nextafter(x, infinity)}) {
        const int expected = format.nearest(double{v});
        ASSERT_EQ(format.narrow(v), expected) << std::hexfloat << v;
        ASSERT_EQ(format.narrow(-v), expected | 0x8000) << std::hexfloat << -v;
      }
    }
  }
}

TEST_P(SixteenBits, OverflowUnderflowAndNan) {
  const Format& format = GetParam();
  using Limits = std::numeric_limits<float>;
  EXPECT_EQ(format.narrow(Limits::infinity()), format.infinity_bits());
  EXPECT_EQ(format.narrow(-Limits::infinity()), format.infinity_bits() | 0x8000);
  EXPECT_EQ(format.narrow(Limits::max()), format.infinity_bits());
  EXPECT_EQ(format.narrow(Limits::denorm_min()), 0);
  EXPECT_EQ(format.narrow(-Limits::denorm_min()), 0x8000);
  EXPECT_EQ(format.narrow(-0.0f), 0x8000);
  // Payloads whose set bits are all below the 16-bit mantissa must not turn into infinity.
  for (const uint32_t payload : {0x400000u, 0x1u, 0x3FFFFFu, 0x7FFFFFu, 0x8000u}) {
    for (const uint32_t sign : {0u, 0x80000000u}) {
      const float nan = std::bit_cast<float>(sign | 0x7F800000u | payload);
      EXPECT_TRUE(std::isnan(format.widen(format.narrow(nan)))) << payload;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, SixteenBits,
                         ::testing::Values(Format{"half", 5, 10, half_to_float, float_to_half},
                                           Format{"bfloat16", 8, 7, bfloat16_to_float,
                                                  float_to_bfloat16}));

TEST(Checked, MultiplicationAndAddition) {
  EXPECT_EQ(checked_mul(0, kMax64), 0);
  EXPECT_EQ(checked_mul(1, kMax64), kMax64);
  EXPECT_EQ(checked_mul(3037000499, 3037000499), 9223372030926249001);
  EXPECT_EQ(checked_mul(3037000500, 3037000500), std::nullopt);
  EXPECT_EQ(checked_mul(2, kMax64), std::nullopt);
  EXPECT_EQ(checked_mul(-1, 1), std::nullopt);
  EXPECT_EQ(checked_mul(0, -1), std::nullopt);
  EXPECT_EQ(checked_add(kMax64, 0), kMax64);
  EXPECT_EQ(checked_add(kMax64, 1), std::nullopt);
  EXPECT_EQ(checked_add(-1, 2), std::nullopt);
  EXPECT_EQ(checked_add(2, -1), std::nullopt);
}

TEST(Checked, ElementCount) {
  const auto count = [](std::vector<int64_t> shape) { return checked_element_count(shape); };
  EXPECT_EQ(count({}), 1);
  EXPECT_EQ(count({2, 3, 5}), 30);
  EXPECT_EQ(count({2, 0, 5}), 0);
  EXPECT_EQ(count({2, -3}), std::nullopt);
  EXPECT_EQ(count({kMax64, 2}), std::nullopt);
  EXPECT_EQ(count({kMax64, 2, 0}), std::nullopt);
  EXPECT_EQ(count({int64_t{1} << 31, int64_t{1} << 31}), int64_t{1} << 62);
}

TEST(Checked, RoundUp) {
  EXPECT_EQ(round_up(0, 64), 0);
  EXPECT_EQ(round_up(1, 64), 64);
  EXPECT_EQ(round_up(64, 64), 64);
  EXPECT_EQ(round_up(65, 64), 128);
  EXPECT_EQ(round_up(7, 3), 9);
}

TEST(DType, NamesAndSizes) {
  struct Case {
    DType dtype;
    const char* name;
    int64_t bytes;
  };
  for (const Case& c :
       {Case{DType::kU8, "U8", 1}, Case{DType::kI8, "I8", 1}, Case{DType::kI16, "I16", 2},
        Case{DType::kI32, "I32", 4}, Case{DType::kI64, "I64", 8}, Case{DType::kF16, "F16", 2},
        Case{DType::kBF16, "BF16", 2}, Case{DType::kF32, "F32", 4}, Case{DType::kF64, "F64", 8}}) {
    EXPECT_EQ(dtype_name(c.dtype), c.name);
    EXPECT_EQ(parse_dtype(c.name), c.dtype);
    EXPECT_EQ(size_bytes(c.dtype), c.bytes) << c.name;
  }
  for (const char* name : {"", "f32", "F3", "F32 ", "BOOL", "F8_E4M3", "U16", "?"}) {
    EXPECT_EQ(parse_dtype(name), std::nullopt) << name;
  }
}

TEST(StrCat, Texts) {
  EXPECT_EQ(str_cat("a", 1, std::string("b"), 2.5, 'c'), "a1b2.5c");
  EXPECT_EQ(shape_text({}), "[]");
  EXPECT_EQ(shape_text(std::vector<int64_t>{64, 3, 3, 32}), "[64,3,3,32]");
}

TEST(StatusTest, OkAndErrors) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().message(), "");
  EXPECT_TRUE(Status().with_context("x").ok());
  const Status error = corrupt("bad").with_context("file").with_context("folder");
  EXPECT_FALSE(error.ok());
  EXPECT_EQ(error.code(), StatusCode::kCorrupt);
  EXPECT_EQ(error.message(), "folder: file: bad");
  EXPECT_EQ(invalid_argument("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(not_found("").code(), StatusCode::kNotFound);
  EXPECT_EQ(unsupported("").code(), StatusCode::kUnsupported);
  EXPECT_EQ(resource_exhausted("").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(unavailable("").code(), StatusCode::kUnavailable);
}

Result<int> half_of(int value) {
  if (value % 2 != 0) return invalid_argument(str_cat(value, " is odd"));
  return value / 2;
}

Status check_quarter(int value, int& evaluations) {
  YOLOCU_RETURN_IF_ERROR((++evaluations, half_of(value).status()));
  YOLOCU_ASSIGN_OR_RETURN(const int half, (++evaluations, half_of(value)));
  YOLOCU_ASSIGN_OR_RETURN(const int quarter, half_of(half));
  return quarter > 0 ? Status() : not_found("nothing left");
}

TEST(StatusTest, MacrosEvaluateOnceAndPassTheFirstErrorOn) {
  int evaluations = 0;
  EXPECT_TRUE(check_quarter(8, evaluations).ok());
  EXPECT_EQ(evaluations, 2);
  EXPECT_EQ(check_quarter(7, evaluations).message(), "7 is odd");
  EXPECT_EQ(evaluations, 3);
  EXPECT_EQ(check_quarter(6, evaluations).message(), "3 is odd");
  EXPECT_EQ(check_quarter(0, evaluations).code(), StatusCode::kNotFound);
}

TEST(ResultTest, HoldsAValueOrAnError) {
  Result<std::unique_ptr<int>> value = std::make_unique<int>(3);
  ASSERT_TRUE(value.ok());
  EXPECT_TRUE(value.status().ok());
  EXPECT_EQ(**value, 3);
  const std::unique_ptr<int> moved = std::move(value).value();
  EXPECT_EQ(*moved, 3);
  const Result<std::string> error = not_found("gone");
  EXPECT_FALSE(error.ok());
  EXPECT_EQ(error.status().message(), "gone");
  Result<std::string> text = std::string("abc");
  text->push_back('d');
  EXPECT_EQ(*text, "abcd");
  EXPECT_EQ(text->size(), 4u);
}

}  // namespace
}  // namespace yolocu
