// Every variant of the convolutions on every device, against the oracle.
#include <gtest/gtest.h>

#include <cstring>
#include <span>

#include "kernels/conv/conv.h"
#include "kernels/emulation/runtime.h"
#include "tests/kernels/conv_problems.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/conv.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::ConvCase;
using testing::ConvData;
using testing::ConvExpectation;
using testing::ConvNumbers;

template <typename T>
std::span<const uint8_t> bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

// y after the launch, all of its buffer; nothing, and a failure, if there is an error.
std::vector<uint16_t> run_conv(DeviceRuntime& runtime, const KernelTable& kernels, Stream stream,
                               const ConvCase& conv_case, const ConvData& data) {
  const auto upload = [&](const auto& values, std::string_view name) {
    return testing::to_device(runtime, stream, bytes_of(values), name);
  };
  const DeviceMemory x = upload(data.x, "x"), w = upload(data.w, "w"), y = upload(data.y, "y"),
                     bias = upload(data.bias, "bias"), residual = upload(data.residual, "residual");
  const ConvTensors tensors = {.y = y.data(),
                               .x = x.data(),
                               .w = w.data(),
                               .bias = bias.data<float>(),
                               .residual = conv_case.problem.residual ? residual.data() : nullptr};
  const Status status = kernels.conv(tensors, conv_case.problem, conv_case.variant, stream);
  EXPECT_TRUE(status.ok()) << status.message();
  const std::vector<uint8_t> bytes = testing::to_host(runtime, stream, y);
  std::vector<uint16_t> values(bytes.size() / sizeof(uint16_t));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// On an emulated device of its own.
struct EmulatedRun {
  std::vector<uint16_t> y;
  emulation::Counters counters;
};

EmulatedRun run_emulated(const emulation::EmulationOptions& options, const ConvCase& conv_case,
                         const ConvData& data) {
  emulation::EmulatedRuntime runtime(options);
  EXPECT_TRUE(runtime.log_launches(LaunchLog::kOn).ok());
  const OwnedStream stream = make_stream(runtime).value();
  EmulatedRun result;
  result.y = run_conv(runtime, emulated_kernels(), stream.get(), conv_case, data);
  const auto records = runtime.take_launches();
  EXPECT_EQ(records.size(), 1u);
  if (!records.empty()) result.counters = records.front().counters.value();
  return result;
}

// Half a step of the dtype at `value`, subnormals included.
double rounding(DType dtype, double value) {
  const double relative = dtype == DType::kF16 ? std::ldexp(1.0, -11) : std::ldexp(1.0, -8);
  const double smallest = dtype == DType::kF16 ? std::ldexp(1.0, -25) : std::ldexp(1.0, -134);
  return std::max(relative * std::fabs(value), smallest);
}

// Element `i` of the [pixels, out_channels] of y in its buffer.
size_t place_in_y(const ConvProblem& problem, size_t i) {
  const auto k = static_cast<int64_t>(i) % problem.out_channels;
  const auto pixel = static_cast<int64_t>(i) / problem.out_channels;
  return static_cast<size_t>(pixel * problem.y.pixel_stride + problem.y.offset + k);
}

// Every element of y within its tolerance, and the buffer outside of the view as it was before.
::testing::AssertionResult is_close(const ConvProblem& problem, const std::vector<uint16_t>& y,
                                    const std::vector<uint16_t>& before,
                                    const ConvExpectation& expected) {
  std::vector<uint16_t> rest = y;
  if (y.size() != before.size()) return ::testing::AssertionFailure() << y.size() << " elements";
  for (size_t i = 0; i < expected.values.size(); ++i) {
    const size_t place = place_in_y(problem, i);
    const double actual = testing::conv_number(problem.dtype, y[place]);
    const double value = expected.values[i];
    const double tolerance = expected.tolerances[i] + rounding(problem.dtype, value);
    rest[place] = before[place];
    if (!(std::fabs(actual - value) <= tolerance)) {
      return ::testing::AssertionFailure()
             << "pixel " << i / static_cast<size_t>(problem.out_channels) << ", channel "
             << i % static_cast<size_t>(problem.out_channels) << ": expected " << value << " +- "
             << tolerance << ", got " << actual;
    }
  }
  if (rest == before) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "y was changed outside of its channels";
}

// y with every expected value rounded to the dtype.
std::vector<uint16_t> exact_y(const ConvProblem& problem, std::vector<uint16_t> y,
                              const ConvExpectation& expected) {
  for (size_t i = 0; i < expected.values.size(); ++i) {
    y[place_in_y(problem, i)] = testing::conv_bits(problem.dtype, expected.values[i]);
  }
  return y;
}

// The problem with an activation that maps integers to integers.
ConvProblem with_exact_activation(ConvProblem problem) {
  if (problem.activation == Activation::kSilu) problem.activation = Activation::kNone;
  if (std::trunc(problem.negative_slope) != problem.negative_slope) problem.negative_slope = 2.0f;
  return problem;
}

std::string name_of(const ConvCase& conv_case) {
  return std::string(conv_case.variant.name) + "_" + conv_case.name;
}

class ConvKernel : public testing::KernelTest<ConvCase> {
 protected:
  std::vector<uint16_t> run(const ConvCase& conv_case, const ConvData& data) {
    return run_conv(runtime(), kernels(), stream(), conv_case, data);
  }
};

TEST_P(ConvKernel, IntegersAreBitEqual) {
  ConvCase conv_case = test_case();
  conv_case.problem = with_exact_activation(conv_case.problem);
  const ConvProblem& problem = conv_case.problem;
  const ConvData data = conv_data(problem, ConvNumbers::kIntegers, 1);
  const auto y = run(conv_case, data);
  const ConvExpectation expected = testing::reference_conv(problem, data);
  ASSERT_TRUE(is_close(problem, y, data.y, expected));  // says where
  EXPECT_EQ(y, exact_y(problem, data.y, expected));
}

TEST_P(ConvKernel, FractionsAreWithinTheErrorBound) {
  const ConvProblem& problem = test_case().problem;
  const ConvData data = conv_data(problem, ConvNumbers::kFractions, 2);
  const auto y = run(test_case(), data);
  EXPECT_TRUE(is_close(problem, y, data.y, testing::reference_conv(problem, data)));
  EXPECT_EQ(run(test_case(), data), y) << "another order of threads";
}

YOLOCU_INSTANTIATE_ON_DEVICES(ConvKernel, ::testing::ValuesIn(testing::all_conv_cases()), name_of);

TEST(ConvCases, ExerciseEveryVariant) {
  for (const ConvVariant& variant : conv_variants()) {
    EXPECT_GE(testing::conv_cases(variant).size(), 25u) << variant.name;
  }
  EXPECT_GE(testing::all_conv_cases().size(), 300u);
}

TEST(ConvComparator, FailsOnNaNAndInfinityAndOutsideOfTheView) {
  const ConvProblem problem = testing::with_dense_views(
      {.height = 1, .width = 1, .channels = 1, .out_channels = 2, .y = {4, 1}});
  const ConvExpectation expected = {.values = {1, -1}, .tolerances = {1, 1}};
  const std::vector<uint16_t> before = {7, 0xFFFF, 0xFFFF, 9};
  const auto passes = [&](std::vector<uint16_t> y) {
    return static_cast<bool>(is_close(problem, y, before, expected));
  };
  EXPECT_TRUE(passes({7, 0x3C00, 0xBC00, 9}));
  EXPECT_FALSE(passes({7, 0x7E00, 0xBC00, 9})) << "NaN";
  EXPECT_FALSE(passes({7, 0x3C00, 0x7C00, 9})) << "infinity";
  EXPECT_FALSE(passes({7, 0x3C00, 0x3C00, 9})) << "the other sign";
  EXPECT_FALSE(passes({7, 0x3C00, 0xBC00, 8})) << "a guard";
  EXPECT_FALSE(passes({})) << "nothing";
}

class ConvEmulated : public ::testing::TestWithParam<ConvVariant> {
 protected:
  // Some blocks, more stages than the ring has.
  static ConvProblem problem() {
    ConvProblem problem = testing::with_dense_views({.height = 9,
                                                     .width = 15,
                                                     .channels = 64,
                                                     .out_channels = 128,
                                                     .filter_height = 3,
                                                     .filter_width = 3,
                                                     .padding = 1});
    problem.dtype = GetParam().dtype;
    return problem;
  }
};

TEST_P(ConvEmulated, CopiesMayArriveAtOnce) {
  const ConvData data = conv_data(problem(), ConvNumbers::kFractions, 5);
  const ConvCase conv_case = {GetParam(), "", problem()};
  const auto late = run_emulated({.delivery = emulation::AsyncDelivery::kLate}, conv_case, data);
  const auto early = run_emulated({.delivery = emulation::AsyncDelivery::kEarly}, conv_case, data);
  EXPECT_EQ(late.y, early.y);
}

// Swizzles are there so that no access waits for a bank.
TEST_P(ConvEmulated, HasNoBankConflicts) {
  if (GetParam().algorithm == ConvAlgorithm::kNaive) GTEST_SKIP() << "uses no shared memory";
  if (GetParam().load_bytes < 16) GTEST_SKIP() << "narrow loads write parts of a bank's line";
  const ConvData data = conv_data(problem(), ConvNumbers::kFractions, 6);
  const auto [y, counters] =
      run_emulated({.counting = emulation::Counting::kRequests}, {GetParam(), "", problem()}, data);
  EXPECT_GT(counters.shared_requests, 0);
  EXPECT_EQ(counters.shared_passes, counters.shared_ideal_passes);
}

INSTANTIATE_TEST_SUITE_P(Inventory, ConvEmulated,
                         ::testing::ValuesIn(conv_variants().begin(), conv_variants().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace yolocu
