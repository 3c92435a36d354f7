// The program notices what is wrong: differences, crashes, hangs, what a device cannot do.
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <set>
#include <thread>

#include "tests/conformance/compare.h"
#include "tests/conformance/inputs.h"
#include "tests/conformance/isolated.h"
#include "tests/conformance/number_format.h"
#include "tests/conformance/registry.h"
#include "tests/conformance/report.h"

namespace yolocu::conformance {
namespace {

using std::chrono::milliseconds;

TEST(Compare, TellsTheFirstByteThatDiffers) {
  const Bytes x = {1, 2, 3, 4}, y = {1, 7, 3, 9};
  EXPECT_EQ(difference(x, std::span<const uint8_t>(x)), "");
  EXPECT_EQ(difference(x, std::span<const uint8_t>(y)),
            "differs at byte 1 (of 4, 2 differ): 0x02, expected 0x07");
  EXPECT_EQ(difference(Bytes{1}, std::span<const uint8_t>(y)), "has 1 bytes, expected 4");
}

TEST(Compare, FloatsMayBeAToleranceApartAndNaNNever) {
  const Expectation expected = {bytes_of(std::vector<float>{1, INFINITY, 0}), {0.5, 0, 0.5}};
  const auto judge = [&](std::vector<float> x) { return difference(bytes_of(x), expected); };
  EXPECT_EQ(judge({1.5f, INFINITY, -0.5f}), "");
  EXPECT_EQ(judge({1.75f, INFINITY, 0}), "differs at float 0: 1.75, expected 1 +- 0.5");
  EXPECT_NE(judge({1, -INFINITY, 0}), "");
  EXPECT_NE(judge({1, 1e38f, 0}), "");
  EXPECT_NE(judge({1, INFINITY, NAN}), "");
  EXPECT_EQ(judge({1}), "has 4 bytes, expected 12");
}

TEST(Compare, DevicesMayBeTwiceTheToleranceApart) {
  const Bytes x = bytes_of(std::vector<float>{1}), y = bytes_of(std::vector<float>{2});
  EXPECT_EQ(difference_between(x, y, {0.5}), "");
  EXPECT_NE(difference_between(x, y, {0.49}), "");
  EXPECT_NE(difference_between(x, y, {}), "");
}

TEST(Isolated, BringsResultsAndErrors) {
  const Bytes large = random_bytes(1 << 20, 1);
  EXPECT_EQ(run_isolated([&]() -> Result<Bytes> { return large; }, milliseconds(60000)).value(),
            large);
  const auto error = run_isolated([]() -> Result<Bytes> { return unsupported("no such thing"); },
                                  milliseconds(60000));
  EXPECT_EQ(error.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(error.status().message(), "no such thing");
}

TEST(Isolated, OutlivesCrashesAndHangs) {
  const auto crash = run_isolated(
      []() -> Result<Bytes> {
        std::raise(SIGKILL);
        return Bytes();
      },
      milliseconds(60000));
  EXPECT_EQ(crash.status().message(), "its process ended with signal 9");
  const auto hang = run_isolated(
      []() -> Result<Bytes> {
        std::this_thread::sleep_for(std::chrono::hours(1));
        return Bytes();
      },
      milliseconds(50));
  EXPECT_EQ(hang.status().message(), "still running after 50 ms");
}

TEST(NumberFormat, HasTheKnownNumbers) {
  EXPECT_EQ(value_of(kHalfFormat, 0x7BFF), 65504);
  EXPECT_EQ(value_of(kHalfFormat, 0x8001), -0x1p-24);
  EXPECT_EQ(value_of(kE4m3Format, 0x7E), 448);
  EXPECT_EQ(value_of(kBfloat16Format, 0x3FC0), 1.5);
  EXPECT_TRUE(std::isnan(value_of(kE4m3Format, 0xFF)));
  EXPECT_EQ(nearest(kHalfFormat, 65519.9), 0x7BFFu);
  EXPECT_EQ(nearest(kHalfFormat, 65520), 0x7C00u);
  EXPECT_EQ(nearest(kHalfFormat, 0x1p-25), 0u);
  EXPECT_EQ(nearest(kE4m3Format, -1e9), 0xFEu);
  EXPECT_EQ(nearest(kHalfFormat, 2049), nearest(kHalfFormat, 2048));
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    ASSERT_EQ(nearest(kHalfFormat, value_of(kHalfFormat, bits)), bits);
  }
}

// A case whose kernel is right and whose expectation is one byte off.
TEST(Judge, NoticesOneWrongByte) {
  Case test = emulated_target::all_cases().front();
  const Bytes input = test.input(1);
  EXPECT_EQ(judge_emulated(test, input, 1).outcome.verdict, Verdict::kOk);
  const auto right = test.expect;
  test.expect = [right](std::span<const uint8_t> bytes) {
    Expectation expected = right(bytes);
    expected.bytes.back() ^= 1;
    return expected;
  };
  EXPECT_EQ(judge_emulated(test, input, 1).outcome.verdict, Verdict::kWrong);
}

TEST(Judge, SkipsWhatTheCodeOfTheDeviceLacks) {
  Case test = emulated_target::all_cases().front();
  test.needs = Needs::kWgmma;
  const CudaDevice ada = {
      .usable = true,
      .features = {
          .architecture = 890, .has_sm89 = 1, .has_sm90 = 0, .has_multicast = 0, .has_wgmma = 0}};
  const Outcome outcome = judge_cuda(test, {}, ada, {});
  EXPECT_EQ(outcome.verdict, Verdict::kSkipped);
  EXPECT_EQ(outcome.why, "needs sm_90a, the code for this device is of sm_89");
  EXPECT_EQ(judge_cuda(test, {}, {.why_not = "none"}, {}).why, "none");
}

TEST(Report, FailsIfAnythingIsWrong) {
  Report report{.device = {}, .seeds = 1, .input_seed = 1};
  report.results = {{"a", {}, {Verdict::kSkipped, "no GPU"}}};
  EXPECT_FALSE(any_wrong(report));
  report.results.push_back({"b", {}, {Verdict::kWrong, "differs"}});
  EXPECT_TRUE(any_wrong(report));
  EXPECT_EQ(summary_of(report),
            "2 cases. emulated: 2 ok, 0 wrong, 0 skipped; cuda: 0 ok, 1 wrong, 1 skipped");
}

TEST(Registry, NamesAreUnique) {
  std::set<std::string> names;
  for (const Case& test : emulated_target::all_cases()) {
    EXPECT_TRUE(names.insert(test.name).second) << test.name;
  }
}

TEST(Registry, BothTargetsHaveTheSameCases) {
  const Cases emulated = emulated_target::all_cases(), cuda = cuda_target::all_cases();
  if (cuda.empty()) GTEST_SKIP() << "the build has no CUDA";
  ASSERT_EQ(emulated.size(), cuda.size());
  for (size_t i = 0; i < cuda.size(); ++i) EXPECT_EQ(emulated[i].name, cuda[i].name);
}

}  // namespace
}  // namespace yolocu::conformance
