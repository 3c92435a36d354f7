// Scalar primitives against formulas of their own.
#include "kernels/device/scalar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace yolocu::device {
namespace {

// The exact product, rounded once to f32 and then subtracted from; a fused operation gives the
// rounding error instead.
TEST(Scalar, ProductsAreRoundedBeforeASum) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> number(-100.0f, 100.0f);
  int inexact = 0;
  for (int i = 0; i < 1000; ++i) {
    const float a = number(random), b = number(random);
    const double exact = double{a} * double{b};
    const auto rounded = static_cast<float>(exact);
    EXPECT_EQ(multiply_rounded(a, b) - rounded, 0.0f) << a << " * " << b;
    if (double{rounded} != exact) ++inexact;
  }
  EXPECT_GT(inexact, 900) << "the numbers would not tell";
  EXPECT_TRUE(std::isnan(multiply_rounded(0, std::numeric_limits<float>::infinity())));
}

// What is left of the exact product after its rounded self: f32 numbers have room for it.
TEST(Scalar, FusedSumsAreRoundedOnce) {
  std::mt19937 random(2);
  std::uniform_real_distribution<float> number(-100.0f, 100.0f);
  int inexact = 0;
  for (int i = 0; i < 1000; ++i) {
    const float a = number(random), b = number(random);
    const double exact = double{a} * double{b};
    const auto rounded = static_cast<float>(exact);
    const double rest = exact - double{rounded};
    EXPECT_EQ(double{fused_multiply_add(a, b, -rounded)}, rest) << a << " * " << b;
    if (rest != 0) ++inexact;
  }
  EXPECT_GT(inexact, 900) << "the numbers would not tell";
}

TEST(Scalar, CountsAndFindsBits) {
  for (uint32_t bit = 0; bit < 32; ++bit) {
    const uint32_t value = 1u << bit;
    EXPECT_EQ(lowest_bit(value), bit);
    EXPECT_EQ(lowest_bit(0x80000000u | value), bit);
    EXPECT_EQ(bit_count(value), 1u);
    EXPECT_EQ(bit_count(value - 1), bit);
    EXPECT_EQ(bit_count(~value), 31u);
  }
  EXPECT_EQ(lowest_bit(0), 32u);
  EXPECT_EQ(bit_count(0), 0u);
}

TEST(Scalar, FloatsAsBits) {
  EXPECT_EQ(float_bits(1.0f), 0x3F800000u);
  EXPECT_EQ(float_bits(-0.0f), 0x80000000u);
  EXPECT_EQ(float_of_bits(0x7F800000u), std::numeric_limits<float>::infinity());
  EXPECT_EQ(float_of_bits(0xC0490FDBu), -3.14159274f);
}

}  // namespace
}  // namespace yolocu::device
