// Conversions against oracles of their own: exact values from the formats' definitions, and the
// nearest of them by search.
#include "kernels/device/numeric.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace yolocu::device {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The value of an e4m3 by its definition.
double e4m3_value(int bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  if (exponent == 15 && mantissa == 7) return std::nan("");
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return (bits & 128) != 0 ? -magnitude : magnitude;
}

// Nearest finite e4m3 by search, ties to the even mantissa, the sign kept.
int nearest_e4m3(float value) {
  const double magnitude = std::fabs(static_cast<double>(value));
  int best = 0;
  for (int bits = 1; bits < 127; ++bits) {
    const double distance = std::fabs(e4m3_value(bits) - magnitude);
    const double least = std::fabs(e4m3_value(best) - magnitude);
    if (distance < least || (distance == least && bits % 2 == 0)) best = bits;
  }
  return best | (std::signbit(value) ? 128 : 0);
}

TEST(Numeric, DecodesEveryE4m3) {
  for (int bits = 0; bits < 256; ++bits) {
    const float value = to_float(E4m3{static_cast<uint8_t>(bits)});
    const double expected = e4m3_value(bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else {
      EXPECT_EQ(static_cast<double>(value), expected) << bits;
      EXPECT_EQ(std::signbit(value), bits >= 128) << bits;
      EXPECT_EQ(to_e4m3(value).bits, bits) << "round trip";
    }
  }
}

TEST(Numeric, RoundsToTheNearestE4m3) {
  std::mt19937 random(7);
  std::vector<float> values;
  for (int bits = 0; bits < 126; ++bits) {  // ties, and their neighbours
    const auto tie = static_cast<float>((e4m3_value(bits) + e4m3_value(bits + 1)) / 2);
    for (const float value : {tie, std::nextafter(tie, 0.0f), std::nextafter(tie, kInfinity)}) {
      values.push_back(value);
      values.push_back(-value);
    }
  }
  for (int i = 0; i < 20000; ++i) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (!std::isnan(value) && std::fabs(value) < 1e30f) values.push_back(value);
  }
  for (const float value : values) {
    EXPECT_EQ(to_e4m3(value).bits, nearest_e4m3(value)) << value;
  }
}

TEST(Numeric, SaturatesE4m3AndKeepsSigns) {
  EXPECT_EQ(to_e4m3(0.0f).bits, 0x00);
  EXPECT_EQ(to_e4m3(-0.0f).bits, 0x80);
  EXPECT_EQ(to_e4m3(std::ldexp(1.0f, -10)).bits, 0x00);
  EXPECT_EQ(to_e4m3(-std::ldexp(1.0f, -10)).bits, 0x80);
  EXPECT_EQ(to_e4m3(1e-40f).bits, 0x00);
  for (const float value : {448.0f, 464.0f, 1e9f, 1e10f, 1e30f, 3e38f, kInfinity}) {
    EXPECT_EQ(to_e4m3(value).bits, 0x7E) << value;
    EXPECT_EQ(to_e4m3(-value).bits, 0xFE) << value;
  }
  EXPECT_EQ(to_e4m3(std::nanf("")).bits, 0x7F);
  EXPECT_EQ(to_e4m3(-std::nanf("")).bits, 0x7F);
}

TEST(Numeric, RoundsHalfAsTheFormatSays) {
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const float value = to_float(Half{static_cast<uint16_t>(bits)});
    const int exponent = static_cast<int>(bits >> 10), mantissa = static_cast<int>(bits & 1023);
    const double expected =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    ASSERT_EQ(static_cast<double>(value), expected) << bits;
    ASSERT_EQ(to_half(value).bits, bits);
    // Halfway to the next: the even one; past 65504 that is infinity.
    const auto step =
        static_cast<float>(exponent == 0 ? std::ldexp(1, -24) : std::ldexp(1, exponent - 25));
    const uint32_t even = bits + bits % 2;
    ASSERT_EQ(to_half(value + step / 2).bits, even) << bits;
    ASSERT_EQ(to_half(-(value + step / 2)).bits, even | 0x8000u) << bits;
  }
}

TEST(Numeric, GivesTheOneNan) {
  for (const uint32_t bits : {0x7FC00000u, 0x7F800001u, 0xFFC12345u, 0xFF800001u}) {
    EXPECT_EQ(to_half(std::bit_cast<float>(bits)).bits, 0x7FFF);
    EXPECT_EQ(to_bfloat16(std::bit_cast<float>(bits)).bits, 0x7FFF);
  }
}

TEST(Numeric, RoundsBfloat16) {
  EXPECT_EQ(to_bfloat16(1.0f).bits, 0x3F80);
  EXPECT_EQ(to_bfloat16(1.0f + std::ldexp(1.0f, -8)).bits, 0x3F80);  // tie to even
  EXPECT_EQ(to_bfloat16(1.0f + std::ldexp(3.0f, -8)).bits, 0x3F82);  // tie to even
  EXPECT_EQ(to_bfloat16(1.0f + std::ldexp(1.1f, -8)).bits, 0x3F81);
  EXPECT_EQ(to_bfloat16(kInfinity).bits, 0x7F80);
  EXPECT_EQ(to_bfloat16(std::numeric_limits<float>::max()).bits, 0x7F80);
  EXPECT_EQ(to_float(Bfloat16{0xC040}), -3.0f);
}

TEST(Numeric, PairsHoldTheRoundedNumbersLowHalfFirst) {
  EXPECT_EQ(pack_pair<Half>(1.0f, -2.0f), 0xC0003C00u);
  EXPECT_EQ(pack_pair<Bfloat16>(1.0f, -2.0f), 0xC0003F80u);
  EXPECT_EQ(pack_pair<Half>(65520.0f, 1.0f + 0x1p-11f), 0x3C007C00u) << "overflow; a tie to even";
  EXPECT_EQ(from_float<Half>(0.5f).bits, 0x3800);
  EXPECT_EQ(from_float<Bfloat16>(0.5f).bits, 0x3F00);
}

TEST(Numeric, ExponentialIsWithinItsBound) {
  for (float value = -87.0f; value <= 88.0f; value += 0.37f) {
    const double exact = std::exp(static_cast<double>(value));
    const double bound = std::ldexp(1.0, -22) + std::fabs(static_cast<double>(value)) * 0x1p-23;
    EXPECT_LE(std::fabs(static_cast<double>(fast_exp(value)) - exact), bound * exact) << value;
  }
  EXPECT_EQ(fast_exp(89.0f), kInfinity);
  EXPECT_EQ(fast_exp(kInfinity), kInfinity);
  EXPECT_EQ(fast_exp(-104.5f), 0.0f);
  EXPECT_TRUE(std::isnan(fast_exp(std::nanf(""))));
}

TEST(Numeric, ReciprocalIsWithinOneUlp) {
  for (const float value : {1.0f, 3.0f, -7.5f, 1e30f, 1.5e-30f, 0.1f}) {
    const double exact = 1.0 / static_cast<double>(value);
    EXPECT_LE(std::fabs(static_cast<double>(fast_reciprocal(value)) - exact),
              std::ldexp(std::fabs(exact), -23))
        << value;
  }
  EXPECT_EQ(fast_reciprocal(kInfinity), 0.0f);
  EXPECT_EQ(fast_reciprocal(0.0f), kInfinity);
}

TEST(Numeric, UnfusedProductIsRoundedBeforeItIsUsed) {
  EXPECT_EQ(multiply_unfused(1.0 + 0x1p-30, 1.0 - 0x1p-30) - 1.0, 0.0) << "fused: -0x1p-60";
}

}  // namespace
}  // namespace yolocu::device
