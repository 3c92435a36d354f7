// Winograd's products in 16-bit integers at the ends of their ranges: sums must equal those of the
// definition in 64 bits, whatever wraps around on the way.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/str_cat.h"
#include "engine/cpu/conv_weights.h"
#include "tests/engine/conv_run.h"

namespace yolocu::cpu {
namespace {

constexpr int64_t kMost = 127;
constexpr int64_t kMostSum = int64_t{1} << 25;  // sums are below

int64_t sign(int64_t x) {
  return x < 0 ? -1 : 1;
}

// Numbers of `c` by position: x(y, x, c), w(k, r, s, c), both in [-127, 127].
template <typename X, typename W>
Problem problem_of(const Case& c, const X& x, const W& w) {
  Problem p;
  for (int64_t i = 0; i < c.height * c.width * c.in; ++i) {
    p.x.push_back(static_cast<float>(x(i / c.in / c.width, i / c.in % c.width, i % c.in)));
  }
  for (int64_t i = 0; i < c.out * 9 * c.in; ++i) {
    p.w.push_back(static_cast<float>(w(i / c.in / 9, i / c.in % 9 / 3, i / c.in % 3, i % c.in)));
  }
  p.bias.assign(static_cast<size_t>(c.out), 0.0f);
  const int64_t pixels = (c.height + 2 * c.padding - 2) * (c.width + 2 * c.padding - 2);
  p.residual.assign(static_cast<size_t>(pixels * c.out), 0.0f);
  return p;
}

// Of output channel k at (py, px).
int64_t sum_of(const Case& c, const Problem& problem, int64_t py, int64_t px, int64_t k) {
  int64_t sum = 0;
  for (int64_t tap = 0; tap < 9; ++tap) {
    const int64_t y = py + tap / 3 - c.padding;
    const int64_t x = px + tap % 3 - c.padding;
    if (y < 0 || y >= c.height || x < 0 || x >= c.width) continue;
    for (int64_t i = 0; i < c.in; ++i) {
      sum += static_cast<int64_t>(problem.x[static_cast<size_t>((y * c.width + x) * c.in + i)]) *
             static_cast<int64_t>(problem.w[static_cast<size_t>((k * 9 + tap) * c.in + i)]);
    }
  }
  return sum;
}

// How many outputs are not float(sum), of all kernels; -1 if no processor instruction does it.
int64_t wrong_outputs(const Case& c, const Problem& problem) {
  int64_t wrong = -1;
  for (const KernelTable* table : tables()) {
    const ConvShape shape = shape_of(c, table->lanes, Element::kI8, Element::kF32);
    const ConvKernel kernel = table->winograd(shape);
    if (kernel == nullptr) continue;
    wrong = std::max<int64_t>(wrong, 0);
    const ConvRun run(c, problem, *table, {ConvAlgorithm::kWinograd, kernel}, shape, 1);
    for (int64_t p = 0; p < shape.out_height * shape.out_width; ++p) {
      for (int64_t k = 0; k < c.out; ++k) {
        const int64_t sum = sum_of(c, problem, p / shape.out_width, p % shape.out_width, k);
        if (run.at(k, p) != static_cast<float>(sum)) ++wrong;
      }
    }
  }
  return wrong;
}

class CpuWinograd : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!tables().back()->has_dot) GTEST_SKIP() << "this processor has no int8 dot products";
  }
};

// As large as sums may get, of either sign, with and without the picture's edge.
TEST_F(CpuWinograd, LargestSums) {
  for (const int64_t channels : {16, 230, 231}) {
    for (const int64_t x_sign : {-1, 1}) {
      for (const int64_t w_sign : {-1, 1}) {
        const Case c{.in = channels, .out = 17, .height = 6, .width = 5};
        const Problem problem = problem_of(
            c, [&](auto...) { return x_sign * kMost; }, [&](auto...) { return w_sign * kMost; });
        ASSERT_LT(std::abs(sum_of(c, problem, 2, 2, 0)), kMostSum);
        EXPECT_EQ(wrong_outputs(c, problem), 0) << channels << " " << x_sign << " " << w_sign;
      }
    }
  }
}

// Products that cancel: the sums are far less than what they are made of.
TEST_F(CpuWinograd, ChannelsThatCancel) {
  const Case c{.in = 640, .out = 16, .height = 8, .width = 8};
  const Problem problem = problem_of(
      c, [](int64_t, int64_t, int64_t i) { return i % 2 == 0 ? kMost : -kMost; },
      [](int64_t k, int64_t, int64_t, int64_t i) { return i < 320 + k ? kMost : -kMost; });
  EXPECT_EQ(wrong_outputs(c, problem), 0);
}

TEST_F(CpuWinograd, Checkerboards) {
  for (const int64_t period : {1, 2, 3}) {
    const Case c{.in = 512, .out = 16, .height = 13, .width = 11};
    const Problem problem = problem_of(
        c,
        [&](int64_t y, int64_t x, int64_t i) {
          return (y / period + x / period + i / 7) % 2 == 0 ? kMost : -kMost;
        },
        [&](int64_t k, int64_t r, int64_t s, int64_t i) {
          return (k + r + s + i / 5) % 2 == 0 ? kMost : -kMost;
        });
    ASSERT_LT(std::abs(sum_of(c, problem, 3, 4, 1)), kMostSum);
    EXPECT_EQ(wrong_outputs(c, problem), 0) << period;
  }
}

// The signs that make one of the 36 transformed inputs, the transformed weight beside it, or both
// as large as they get: over 231 channels the sum of their products takes 34 bits.
TEST_F(CpuWinograd, LargestTransformedNumbers) {
  constexpr int kInputs[6][6] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0},
                                 {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
  constexpr int kWeights[6][3] = {{1, 0, 0}, {-1, -1, -1}, {-1, 1, -1},
                                  {1, 2, 4}, {1, -2, 4},   {0, 0, 1}};
  for (size_t f = 0; f < 36; ++f) {
    for (const int64_t x_sign : {-1, 1}) {
      const Case c{.in = 231, .out = 16, .height = 6, .width = 6, .padding = 0};
      const Problem problem = problem_of(
          c,
          [&](int64_t y, int64_t x, int64_t) {
            return x_sign * kMost * sign(kInputs[f / 6][y]) * sign(kInputs[f % 6][x]);
          },
          [&](int64_t, int64_t r, int64_t s, int64_t) {
            return kMost * sign(kWeights[f / 6][r]) * sign(kWeights[f % 6][s]);
          });
      EXPECT_EQ(wrong_outputs(c, problem), 0) << f << " " << x_sign;
    }
  }
}

// The plan takes it where maps are large enough for its weights, and the policy allows.
TEST_F(CpuWinograd, IsChosen) {
  const auto chosen = [](int64_t size, ConvPolicy policy) {
    const Case c{.in = 64, .out = 64, .height = size, .width = size};
    const ConvShape shape = shape_of(c, tables().back()->lanes, Element::kI8, Element::kI8);
    return choose_algorithm(shape, *tables().back(), policy).algorithm;
  };
  EXPECT_EQ(chosen(20, ConvPolicy::kFastest), ConvAlgorithm::kWinograd);
  EXPECT_EQ(chosen(20, ConvPolicy::kByDefinition), ConvAlgorithm::kDirect);
  EXPECT_EQ(chosen(7, ConvPolicy::kFastest), ConvAlgorithm::kDirect);
}

// fits_winograd() says yes as long as it may: the last weights it accepts come out right, one unit
// more is refused, and the first sum of 2^25 is wrong indeed.
TEST_F(CpuWinograd, BoundOfWeights) {
  constexpr int64_t kMostWeights = (kMostSum - 1) / kMost;  // in units
  const Case c{.in = 232, .out = 16, .height = 3, .width = 3, .padding = 0};
  for (const int64_t x_sign : {-1, 1}) {
    for (const int64_t more : {0, 1}) {
      int64_t left = 0;
      const Problem problem = problem_of(
          c, [&](auto...) { return x_sign * kMost; },
          [&](int64_t k, int64_t r, int64_t s, int64_t i) {
            if (r + s + i == 0) left = kMostWeights + (k == 5 ? more : 0);
            const int64_t w = std::min(left, kMost);
            left -= w;
            return w;
          });
      std::vector<int8_t> units(problem.w.begin(), problem.w.end());
      const TensorView weight{
          DType::kI8, {c.out, 3, 3, c.in}, std::as_bytes(std::span<const int8_t>(units))};
      EXPECT_EQ(fits_winograd(weight), more == 0);
      ASSERT_EQ(std::abs(sum_of(c, problem, 0, 0, 5)) < kMostSum, more == 0);
      EXPECT_EQ(wrong_outputs(c, problem), more);
    }
  }
}

}  // namespace
}  // namespace yolocu::cpu
