// Every convolution kernel of every instruction set that this processor has, against sums in double
// precision: exact on integers, within rounding on reals.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "engine/base/str_cat.h"
#include "tests/engine/conv_run.h"

namespace yolocu::cpu {
namespace {

constexpr double kWinogradScale = 576;  // all products of G by it are integers

// How far from y, or for int8 from y in units, the outputs may be: eps of the sums, and rounding to
// the destination, in which what activations are off for 8 digits is included but for int8: 2^-17.
double tolerance(const Case& c, Numbers numbers, ConvAlgorithm algorithm, Element source,
                 Element destination, double y, double bound) {
  const double rounding = destination == Element::kBf16 ? std::abs(y) / 256 : 0.0;
  if (numbers == Numbers::kIntegers && c.activation != Activation::kSilu) return rounding;
  // Sums of int8 are exact.
  const bool has_transforms = algorithm == ConvAlgorithm::kWinograd && source != Element::kI8;
  const double factor = has_transforms ? 320 : source == Element::kI8 ? 2 : 32;
  const double error = factor * double{std::numeric_limits<float>::epsilon()} * bound;
  if (destination != Element::kI8) return rounding + error;
  return 0.5 + (error + std::abs(y) / (1 << 17)) * c.inverse_output_scale;
}

void check(const Case& c, Numbers numbers, const KernelTable& kernels, ConvAlgorithm algorithm,
           Element source, Element destination) {
  SCOPED_TRACE(str_cat(kernels.name, " ", algorithm_name(algorithm), " ", text(c), " elements ",
                       static_cast<int>(source), static_cast<int>(destination)));
  const ConvShape shape = shape_of(c, kernels.lanes, source, destination);
  const ConvKernel kernel =
      algorithm == ConvAlgorithm::kWinograd ? kernels.winograd(shape) : kernels.direct(shape);
  if (kernel == nullptr) return;  // counted by KernelsAreThere
  const ConvChoice choice{algorithm, kernel};
  const bool has_fractions = algorithm == ConvAlgorithm::kWinograd && source != Element::kI8;
  const double scale = numbers == Numbers::kIntegers && has_fractions ? kWinogradScale : 1.0;
  const Problem problem =
      make_problem(c, numbers, scale, source, destination, weight_element(shape, algorithm));
  for (const int threads : {1, 3}) {
    const ConvRun run(c, problem, kernels, choice, shape, threads);
    const int64_t pixels = shape.out_height * shape.out_width;
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t k = 0; k < shape.out_channels; ++k) {
        const double actual = run.at(k, p);
        if (k >= c.out) {
          ASSERT_EQ(actual, 0) << "padding channel " << k << " of pixel " << p;
          continue;
        }
        const auto at = static_cast<size_t>(p * c.out + k);
        double expected = problem.y[at];
        const double most =
            tolerance(c, numbers, algorithm, source, destination, expected, problem.bounds[at]);
        if (destination == Element::kI8) {
          expected = std::clamp(expected * c.inverse_output_scale, -127.0, 127.0);
          if (most < 0.5) expected = std::nearbyint(expected);
        }
        ASSERT_TRUE(std::abs(actual - expected) <= most)
            << "channel " << k << " of pixel " << p << ": " << actual << ", expected " << expected
            << ", threads " << threads;
      }
    }
  }
}

void check_all(const Case& c, Numbers numbers, ConvAlgorithm algorithm) {
  for (const KernelTable* table : tables()) {
    check(c, numbers, *table, algorithm, Element::kF32, Element::kF32);
    if (!table->has_dot) continue;
    check(c, numbers, *table, algorithm, Element::kF32, Element::kBf16);
    check(c, numbers, *table, algorithm, Element::kBf16, Element::kBf16);
    check(c, numbers, *table, algorithm, Element::kBf16, Element::kF32);
  }
}

TEST(CpuConv, KernelsAreThere) {
  for (const KernelTable* table : tables()) {
    ConvShape shape{.in_channels = 16, .out_channels = 16, .kernel = 3};
    EXPECT_NE(table->direct(shape), nullptr) << table->name;
    EXPECT_NE(table->winograd(shape), nullptr) << table->name;
    shape.source = shape.destination = Element::kI8;
    EXPECT_EQ(table->direct(shape) != nullptr, table->has_dot) << table->name;
    EXPECT_EQ(table->winograd(shape) != nullptr, table->has_dot) << table->name;
    shape.source = shape.destination = Element::kBf16;
    EXPECT_EQ(table->direct(shape) != nullptr, table->has_dot) << table->name;
    EXPECT_EQ(table->winograd(shape) != nullptr, table->has_dot) << table->name;
    shape.stride = 3;
    EXPECT_EQ(table->direct(shape), nullptr) << table->name;
    EXPECT_EQ(table->winograd(shape), nullptr) << table->name;
  }
  if (std::getenv("YOLOCU_CPU_KERNELS") != nullptr) return;
  EXPECT_STREQ(tables().back()->name, kernel_table().name);
}

// Every width of the register tile and what is left of it, one block, two, and two with one left.
TEST(CpuConv, DirectIsExactOnEveryWidth) {
  for (int64_t width = 1; width <= 31; ++width) {
    check_all({.in = 16, .out = 16, .height = 2, .width = width, .kernel = 1, .padding = 0},
              Numbers::kIntegers, ConvAlgorithm::kDirect);
    check_all({.in = 32, .out = 48, .height = 3, .width = width}, Numbers::kIntegers,
              ConvAlgorithm::kDirect);
    check_all({.in = 16, .out = 32, .height = 4, .width = width, .stride = 2}, Numbers::kIntegers,
              ConvAlgorithm::kDirect);
  }
}

TEST(CpuConv, DirectIsExactOnChannelsGroupsAndWindows) {
  for (const Case& c : std::initializer_list<Case>{
           {.in = 3, .out = 5},
           {.in = 17, .out = 33},
           {.in = 64, .out = 64, .groups = 4},
           {.in = 24, .out = 40, .groups = 8},
           {.in = 20, .out = 20, .kernel = 5, .padding = 2},
           {.in = 20, .out = 20, .kernel = 7, .stride = 2, .padding = 3},
           {.in = 20, .out = 20, .kernel = 2, .padding = 0},
           {.in = 20, .out = 20, .kernel = 1, .padding = 2},
           {.in = 20, .out = 20, .height = 1, .width = 1},
           {.in = 20, .out = 20, .height = 1, .width = 1, .kernel = 5, .padding = 4},
           {.in = 20, .out = 20, .activation = Activation::kRelu},
           {.in = 20, .out = 20, .activation = Activation::kLeakyRelu, .residual = true},
           {.in = 20, .out = 20, .kernel = 1, .padding = 0, .residual = true},
       }) {
    check_all(c, Numbers::kIntegers, ConvAlgorithm::kDirect);
  }
}

TEST(CpuConv, PicturesAreExact) {
  for (int64_t width = 1; width <= 40; width += 3) {
    for (const int64_t stride : {1, 2}) {
      check_all({.in = 3,
                 .out = 40,
                 .height = 6,
                 .width = width,
                 .stride = stride,
                 .layout = SourceLayout::kPicture},
                Numbers::kIntegers, ConvAlgorithm::kDirect);
    }
  }
}

// Weights are multiples of 576, so that no transformed number is a fraction.
TEST(CpuConv, WinogradIsExactOnIntegers) {
  for (int64_t height = 1; height <= 9; ++height) {
    check_all({.in = 16, .out = 16, .height = height, .width = 11 - height}, Numbers::kIntegers,
              ConvAlgorithm::kWinograd);
  }
  for (const Case& c : std::initializer_list<Case>{
           {.in = 3, .out = 5},
           {.in = 17, .out = 33, .height = 8, .width = 33},
           {.in = 32, .out = 48, .height = 12, .width = 20},
           {.in = 20, .out = 20, .padding = 0},
           {.in = 20, .out = 20, .padding = 2},
           {.in = 20, .out = 20, .activation = Activation::kLeakyRelu, .residual = true},
       }) {
    check_all(c, Numbers::kIntegers, ConvAlgorithm::kWinograd);
  }
}

TEST(CpuConv, RealsAreCloseWithSilu) {
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::kDirect, ConvAlgorithm::kWinograd}) {
    for (const Case& c : std::initializer_list<Case>{
             {.in = 64, .out = 32, .height = 13, .width = 29, .activation = Activation::kSilu},
             {.in = 300, .out = 16, .height = 4, .width = 4, .activation = Activation::kSilu},
             {.in = 48, .out = 80, .activation = Activation::kSilu, .residual = true},
         }) {
      check_all(c, Numbers::kReals, algorithm);
    }
  }
}

// Powers of two as scales, so that floats are exact, too; half of the outputs saturate.
TEST(CpuConv, Int8IsExact) {
  const auto run = [](const Case& c) {
    Case scaled = c;
    scaled.most_input = 127;
    scaled.most_weight = 127;
    scaled.sum_scale = 1.0 / 512;
    scaled.sum_scale_steps = 3;
    for (const KernelTable* table : tables()) {
      for (const Element destination : {Element::kI8, Element::kBf16, Element::kF32}) {
        scaled.residual_scale = destination == Element::kI8 ? 0.5 : 1.0;
        scaled.residual_scale_steps = destination == Element::kI8 ? 4 : 1;
        check(scaled, Numbers::kIntegers, *table, ConvAlgorithm::kDirect, Element::kI8,
              destination);
        check(scaled, Numbers::kIntegers, *table, ConvAlgorithm::kWinograd, Element::kI8,
              destination);
      }
    }
  };
  for (int64_t width = 1; width <= 31; ++width) {
    run({.in = 32, .out = 48, .height = 3, .width = width});
    run({.in = 16, .out = 16, .height = 3, .width = width, .kernel = 1, .padding = 0});
    run({.in = 16, .out = 32, .height = 4, .width = width, .stride = 2});
  }
  run({.in = 17, .out = 33, .activation = Activation::kRelu});
  run({.in = 64, .out = 64, .groups = 4, .activation = Activation::kLeakyRelu});
  run({.in = 20, .out = 20, .activation = Activation::kLeakyRelu, .residual = true});
  run({.in = 20, .out = 20, .kernel = 5, .padding = 4});
  for (int64_t height = 1; height <= 9; ++height) {
    run({.in = 48, .out = 16, .height = height, .width = 10 - height});
    run({.in = 16, .out = 80, .height = height + 2, .width = 9, .padding = 0});
    run({.in = 40, .out = 24, .height = height, .width = 6, .padding = 2});
  }
  run({.in = 96, .out = 64, .height = 21, .width = 34});
  run({.in = 640, .out = 16, .height = 9, .width = 13});
}

// Sums around 0, where SiLU bends; outputs of many units, with and without saturation.
TEST(CpuConv, SiluOfInt8IsClose) {
  for (const bool residual : {false, true}) {
    for (const Element destination : {Element::kI8, Element::kBf16, Element::kF32}) {
      const bool is_int8 = destination == Element::kI8;
      const Case c{.in = 40,
                   .out = 56,
                   .height = 9,
                   .width = 23,
                   .activation = Activation::kSilu,
                   .residual = residual,
                   .most_input = 127,
                   .most_weight = 127,
                   .sum_scale = 1.0 / 16384,
                   .residual_scale = is_int8 ? 0.75 : 1.0,
                   .sum_scale_steps = 5,
                   .residual_scale_steps = is_int8 ? 3 : 1,
                   .inverse_output_scale = 11.3};
      for (const KernelTable* table : tables()) {
        for (const ConvAlgorithm algorithm : {ConvAlgorithm::kDirect, ConvAlgorithm::kWinograd}) {
          check(c, Numbers::kIntegers, *table, algorithm, Element::kI8, destination);
        }
      }
    }
  }
}

// Floating-point convolutions whose outputs are int8.
TEST(CpuConv, OutputsAreRoundedToInt8) {
  for (const KernelTable* table : tables()) {
    for (const Element source : {Element::kF32, Element::kBf16}) {
      const Case c{.in = 20, .out = 40, .activation = Activation::kLeakyRelu, .most_input = 30};
      check(c, Numbers::kIntegers, *table, ConvAlgorithm::kDirect, source, Element::kI8);
      check(c, Numbers::kIntegers, *table, ConvAlgorithm::kWinograd, source, Element::kI8);
    }
    const Case picture{.in = 3, .out = 20, .layout = SourceLayout::kPicture, .most_input = 30};
    check(picture, Numbers::kIntegers, *table, ConvAlgorithm::kDirect, Element::kF32, Element::kI8);
  }
}

// What has no place among the digits of the destination, in whole runs of pixels and in what is
// left of a row.
void check_extremes(Activation activation, Element destination,
                    const std::vector<float>& expected) {
  const float inf = std::numeric_limits<float>::infinity();
  const float inputs[] = {std::nanf(""), inf, -inf, 1e30f, -1e30f, 1020, std::nanf("")};
  const Case c{.in = 16,
               .out = 16,
               .height = 1,
               .width = 7,
               .kernel = 1,
               .padding = 0,
               .activation = activation};
  for (const KernelTable* table : tables()) {
    const ConvShape shape = shape_of(c, table->lanes, Element::kF32, destination);
    if (table->direct(shape) == nullptr) continue;
    Problem problem =
        make_problem(c, Numbers::kReals, 1, Element::kF32, destination, Element::kF32);
    std::fill(problem.x.begin(), problem.x.end(), 0.0f);
    for (size_t p = 0; p < 7; ++p) problem.x[p * 16] = inputs[p];
    std::fill(problem.w.begin(), problem.w.end(), 1.0f);
    std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
    const ConvRun run(c, problem, *table, {ConvAlgorithm::kDirect, table->direct(shape)}, shape, 1);
    for (int64_t p = 0; p < 7; ++p) {
      const float y = run.at(3, p), wanted = expected[static_cast<size_t>(p)];
      EXPECT_TRUE(y == wanted || (std::isnan(y) && std::isnan(wanted)) ||
                  std::abs(y - wanted) <= std::abs(wanted) / 256 + 1e-8f)
          << table->name << " " << p << ": " << y;
    }
  }
}

TEST(CpuConv, Extremes) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::nanf("");
  check_extremes(Activation::kNone, Element::kI8, {-127, 127, -127, 127, -127, 127, -127});
  // -infinity sigmoid(-infinity) is NaN.
  check_extremes(Activation::kSilu, Element::kI8, {-127, 127, -127, 127, 0, 127, -127});
  for (const Element destination : {Element::kF32, Element::kBf16}) {
    check_extremes(Activation::kNone, destination, {nan, inf, -inf, 1e30f, -1e30f, 1020, nan});
    // The exponential of fp32 is never infinite.
    const float of_least = destination == Element::kF32 ? -inf : nan;
    check_extremes(Activation::kSilu, destination, {nan, inf, of_least, 1e30f, 0, 1020, nan});
  }
}

// One bad input spoils the outputs whose windows hold it, and at least those.
TEST(CpuConv, NanReachesTheOutputs) {
  const Case c{.in = 16, .out = 16, .height = 9, .width = 9, .activation = Activation::kSilu};
  for (const KernelTable* table : tables()) {
    const ConvShape shape = shape_of(c, table->lanes, Element::kF32, Element::kF32);
    for (const ConvAlgorithm algorithm : {ConvAlgorithm::kDirect, ConvAlgorithm::kWinograd}) {
      Problem problem =
          make_problem(c, Numbers::kReals, 1, Element::kF32, Element::kF32, Element::kF32);
      problem.x[static_cast<size_t>((4 * 9 + 4) * 16)] = std::nanf("");
      const ConvChoice choice{algorithm, algorithm == ConvAlgorithm::kWinograd
                                             ? table->winograd(shape)
                                             : table->direct(shape)};
      const ConvRun run(c, problem, *table, choice, shape, 1);
      for (int64_t y = 3; y <= 5; ++y) {
        for (int64_t x = 3; x <= 5; ++x) {
          EXPECT_TRUE(std::isnan(run.at(0, y * 9 + x)))
              << table->name << " " << algorithm_name(algorithm) << " " << y << " " << x;
        }
      }
    }
  }
}

}  // namespace
}  // namespace yolocu::cpu
