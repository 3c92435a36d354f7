// Every variant of the convolutions on every device, against the oracle.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/emulation/runtime.h"
#include "tests/kernels/conv_problems.h"
#include "tests/kernels/conv_run.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/conv.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::ConvBuffer;
using testing::ConvCase;
using testing::ConvData;
using testing::ConvExpectation;
using testing::ConvNumbers;
using testing::ConvResult;
using testing::ConvSharing;

// On an emulated device of its own.
struct EmulatedRun {
  ConvResult result;
  emulation::Counters counters;
};

EmulatedRun run_emulated(const emulation::EmulationOptions& options, const ConvCase& conv_case,
                         const ConvData& data) {
  emulation::EmulatedRuntime runtime(options);
  EXPECT_TRUE(runtime.log_launches(LaunchLog::kOn).ok());
  const OwnedStream stream = make_stream(runtime).value();
  EmulatedRun run;
  run.result = run_conv(runtime, emulated_kernels(), stream.get(), conv_case, data);
  const auto records = runtime.take_launches();
  EXPECT_EQ(records.size(), 1u);
  if (!records.empty()) run.counters = records.front().counters.value();
  return run;
}

// Half a step of the dtype at `value`, subnormals included.
double rounding(DType dtype, double value) {
  const int digits = dtype == DType::kF16 ? 11 : dtype == DType::kBF16 ? 8 : 24;
  const int smallest = dtype == DType::kF16 ? -25 : dtype == DType::kBF16 ? -134 : -150;
  return std::max(std::ldexp(std::fabs(value), -digits), std::ldexp(1.0, smallest));
}

// The outputs of a case, each with the buffers it lies in.
struct OutputBuffers {
  ConvOutput output;
  ConvBuffer ConvResult::*after;
  ConvBuffer ConvData::*before;
};
std::vector<OutputBuffers> outputs_of(const ConvCase& conv_case) {
  const OutputBuffers y = {conv_case.problem.first(), &ConvResult::y, &ConvData::y};
  if (!conv_case.problem.second) return {y};
  OutputBuffers second = {*conv_case.problem.second, &ConvResult::second, &ConvData::second};
  if (conv_case.sharing == ConvSharing::kSecondInY) {
    second = {second.output, y.after, y.before};
  }
  return {y, second};
}

// Every element of the outputs within its tolerance, and the buffers outside of the views as they
// were before.
::testing::AssertionResult is_close(const ConvCase& conv_case, const ConvResult& result,
                                    const ConvData& data, const ConvExpectation& expected) {
  if (result.y.count() != data.y.count() || result.second.count() != data.second.count()) {
    return ::testing::AssertionFailure() << result.y.count() << " elements";
  }
  const ConvProblem& problem = conv_case.problem;
  ConvResult rest = result;
  ::testing::AssertionResult answer = ::testing::AssertionSuccess();
  for (const auto& [output, after, before] : outputs_of(conv_case)) {
    testing::for_each_stored(problem, output, [&](int64_t at, int64_t i) {
      (rest.*after).copy(at, data.*before);
      const double actual = (result.*after).get(at);
      const double value = expected.values.at(static_cast<size_t>(i));
      const double tolerance =
          expected.tolerances.at(static_cast<size_t>(i)) + rounding(problem.dtype, value);
      if (std::fabs(actual - value) <= tolerance) return;
      answer = ::testing::AssertionFailure()
               << "element " << at << ", channel " << i % problem.out_channels << ": expected "
               << value << " +- " << tolerance << ", got " << actual;
    });
  }
  if (answer && (rest.y != data.y || rest.second != data.second)) {
    return ::testing::AssertionFailure() << "an output was changed outside of its channels";
  }
  return answer;
}

// The buffers with every expected value rounded to the dtype.
ConvResult exact_result(const ConvCase& conv_case, const ConvData& data,
                        const ConvExpectation& expected) {
  ConvResult result = {data.y, data.second};
  for (const auto& [output, after, before] : outputs_of(conv_case)) {
    testing::for_each_stored(conv_case.problem, output, [&](int64_t at, int64_t i) {
      (result.*after).set(at, expected.values.at(static_cast<size_t>(i)));
    });
  }
  return result;
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

// Of the device's variants: launching another, such as wgmma before sm_90a, ends the process's use
// of the card.
bool has_variant(const DeviceRuntime& runtime, const ConvVariant& variant) {
  return variant.algorithm != ConvAlgorithm::kWarpgroupGemm || runtime.info().has_wgmma;
}

class ConvKernel : public testing::KernelTest<ConvCase> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    if (!has_variant(runtime(), test_case().variant)) GTEST_SKIP() << "not for this device";
  }
  ConvResult run(const ConvCase& conv_case, const ConvData& data) {
    return run_conv(runtime(), kernels(), stream(), conv_case, data);
  }
};

// Those that may split k.
std::vector<ConvVariant> split_variants() {
  std::vector<ConvVariant> variants;
  for (const ConvVariant& variant : conv_variants()) {
    if (may_split(variant.algorithm)) variants.push_back(variant);
  }
  return variants;
}

class ConvWorkspace : public testing::KernelTest<ConvVariant> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    if (!has_variant(runtime(), test_case())) GTEST_SKIP() << "not for this device";
  }
};

TEST_P(ConvKernel, IntegersAreBitEqual) {
  ConvCase conv_case = test_case();
  conv_case.problem = with_exact_activation(conv_case.problem);
  const ConvData data = conv_data(conv_case, ConvNumbers::kIntegers, 1);
  const ConvResult result = run(conv_case, data);
  const ConvExpectation expected = testing::reference_conv(conv_case.problem, data);
  ASSERT_TRUE(is_close(conv_case, result, data, expected));  // says where
  EXPECT_TRUE(result == exact_result(conv_case, data, expected));
}

TEST_P(ConvKernel, FractionsAreWithinTheErrorBound) {
  const ConvData data = conv_data(test_case(), ConvNumbers::kFractions, 2);
  const ConvResult result = run(test_case(), data);
  const ConvExpectation expected = testing::reference_conv(test_case().problem, data);
  EXPECT_TRUE(is_close(test_case(), result, data, expected));
  EXPECT_TRUE(run(test_case(), data) == result) << "another order of threads";
}

// Launches of other problems and of the same one leave a workspace fit for the next.
TEST_P(ConvWorkspace, ServesOneLaunchAfterAnother) {
  int64_t bytes = 0;
  std::vector<ConvCase> cases;
  for (const ConvCase& conv_case : testing::conv_cases(test_case())) {
    if (conv_case.splits == 1) continue;
    cases.push_back(conv_case);
    bytes = std::max(bytes, conv_workspace_bytes(conv_case.choice(), conv_case.problem));
  }
  ASSERT_GE(cases.size(), 5u);
  const DeviceMemory workspace = testing::conv_workspace(runtime(), stream(), bytes);
  for (size_t i = 0; i < 2 * cases.size(); ++i) {
    const ConvCase& conv_case = cases[i * 3 % cases.size()];
    const ConvData data = conv_data(conv_case, ConvNumbers::kFractions, 8);
    const ConvResult alone = run_conv(runtime(), kernels(), stream(), conv_case, data);
    EXPECT_TRUE(run_conv(runtime(), kernels(), stream(), conv_case, data, workspace) == alone)
        << conv_case.name;
  }
  std::vector<uint8_t> tickets(kConvTicketBytes);
  const auto status =
      runtime().download(tickets.data(), workspace.data(), kConvTicketBytes, stream());
  ASSERT_TRUE(status.ok() && runtime().synchronize_stream(stream()).ok());
  EXPECT_EQ(tickets, std::vector<uint8_t>(kConvTicketBytes));
}

YOLOCU_INSTANTIATE_ON_DEVICES(ConvWorkspace, ::testing::ValuesIn(split_variants()),
                              [](const ConvVariant& variant) { return variant.name; });

YOLOCU_INSTANTIATE_ON_DEVICES(ConvKernel, ::testing::ValuesIn(testing::all_conv_cases()), name_of);

TEST(ConvCases, ExerciseEveryVariant) {
  for (const ConvVariant& variant : conv_variants()) {
    const bool depthwise = variant.algorithm == ConvAlgorithm::kDepthwise;
    EXPECT_GE(testing::conv_cases(variant).size(), depthwise ? 10u : 25u) << variant.name;
  }
  EXPECT_GE(testing::all_conv_cases().size(), 300u);
}

// Tiled or not, f32 sums are made in one order, so what checks a device with them gets one answer.
TEST(ConvFloats, AreBitEqualInEveryVariant) {
  for (ConvCase conv_case : testing::all_conv_cases()) {
    if (conv_case.variant.algorithm != ConvAlgorithm::kTiled) continue;
    const ConvData data = conv_data(conv_case, ConvNumbers::kFractions, 7);
    const ConvResult tiled = run_emulated({}, conv_case, data).result;
    for (const ConvVariant& variant : conv_variants()) {
      if (variant.dtype == DType::kF32 && variant.algorithm == ConvAlgorithm::kNaive) {
        conv_case.variant = variant;
      }
    }
    EXPECT_TRUE(run_emulated({}, conv_case, data).result == tiled) << conv_case.name;
  }
}

class ConvComparator : public ::testing::Test {
 protected:
  // y in channels 1 and 2 of 4, then upsampled, in a buffer of its own.
  ConvCase conv_case_ = {conv_variants().front(), "",
                         testing::with_dense_views({.height = 1,
                                                    .width = 1,
                                                    .channels = 1,
                                                    .out_channels = 2,
                                                    .y = {4, 1},
                                                    .second = ConvOutput{{2, 0}, 2}})};
  ConvExpectation expected_ = {.values = {1, -1}, .tolerances = {1, 1}};
  ConvData before_ = conv_data(conv_case_, ConvNumbers::kIntegers, 3);

  bool passes(const ConvResult& result) {
    return static_cast<bool>(is_close(conv_case_, result, before_, expected_));
  }
  // The exact result with element i of y, or of the second output, changed.
  ConvResult with(ConvBuffer ConvResult::*buffer, int64_t i, double value) {
    ConvResult result = exact_result(conv_case_, before_, expected_);
    (result.*buffer).set(i, value);
    return result;
  }
};

TEST_F(ConvComparator, FailsOnNaNAndInfinityAndOutsideOfTheView) {
  EXPECT_TRUE(passes(exact_result(conv_case_, before_, expected_)));
  EXPECT_TRUE(passes(with(&ConvResult::y, 1, 2)));
  EXPECT_FALSE(passes(with(&ConvResult::y, 1, NAN)));
  EXPECT_FALSE(passes(with(&ConvResult::y, 2, INFINITY)));
  EXPECT_FALSE(passes(with(&ConvResult::y, 2, 1))) << "the other sign";
  EXPECT_FALSE(passes(with(&ConvResult::y, 3, 1))) << "a guard";
  EXPECT_FALSE(passes(with(&ConvResult::second, 7, 1))) << "the last repetition";
  EXPECT_FALSE(passes({})) << "nothing";
  EXPECT_FALSE(passes({before_.y, before_.second})) << "nothing stored";
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
    if (GetParam().algorithm == ConvAlgorithm::kDepthwise) {
      problem.groups = problem.out_channels = problem.y.pixel_stride = problem.channels;
    }
    return problem;
  }
};

TEST_P(ConvEmulated, CopiesMayArriveAtOnce) {
  const ConvCase conv_case = {GetParam(), "", problem()};
  const ConvData data = conv_data(conv_case, ConvNumbers::kFractions, 5);
  const auto late = run_emulated({.delivery = emulation::AsyncDelivery::kLate}, conv_case, data);
  const auto early = run_emulated({.delivery = emulation::AsyncDelivery::kEarly}, conv_case, data);
  EXPECT_TRUE(late.result == early.result);
}

// Whichever block of a tile comes last, the sums are added in one order.
TEST_P(ConvEmulated, SplitsGiveOneResultInAnyOrder) {
  if (!may_split(GetParam().algorithm)) GTEST_SKIP() << "has no splits";
  const ConvCase conv_case = {GetParam(), "", problem(), ConvSharing::kNone, 5};
  const ConvData data = conv_data(conv_case, ConvNumbers::kFractions, 9);
  const ConvResult first = run_emulated({}, conv_case, data).result;
  EXPECT_TRUE(is_close(conv_case, first, data, reference_conv(conv_case.problem, data)));
  for (uint64_t seed = 2; seed <= 6; ++seed) {
    for (const auto delivery :
         {emulation::AsyncDelivery::kLate, emulation::AsyncDelivery::kEarly}) {
      const auto run = run_emulated({.seed = seed, .delivery = delivery}, conv_case, data);
      EXPECT_TRUE(run.result == first) << "seed " << seed;
    }
  }
}

// Swizzles are there so that no access waits for a bank.
TEST_P(ConvEmulated, HasNoBankConflicts) {
  if (GetParam().tile.stages == 0) GTEST_SKIP() << "uses no shared memory";
  if (GetParam().load_bytes < 16) GTEST_SKIP() << "narrow loads write parts of a bank's line";
  const ConvCase conv_case = {GetParam(), "", problem()};
  const ConvData data = conv_data(conv_case, ConvNumbers::kFractions, 6);
  const auto [result, counters] =
      run_emulated({.counting = emulation::Counting::kRequests}, conv_case, data);
  EXPECT_GT(counters.shared_requests, 0);
  EXPECT_EQ(counters.shared_passes, counters.shared_ideal_passes);
}

INSTANTIATE_TEST_SUITE_P(Inventory, ConvEmulated,
                         ::testing::ValuesIn(conv_variants().begin(), conv_variants().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace yolocu
