// The program notices what is wrong: differences, crashes, hangs, what a device cannot do.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "kernels/emulation/runtime.h"
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

// Work that is told how many items its process has done.
using CountingWork = std::function<Result<Bytes>(uint8_t& done)>;

Result<Bytes> count(uint8_t& done) {
  return Bytes{++done};
}

Result<Bytes> crash(uint8_t&) {
  std::raise(SIGKILL);
  return Bytes();
}

Result<Bytes> hang(uint8_t&) {
  std::this_thread::sleep_for(std::chrono::hours(1));
  return Bytes();
}

Result<Bytes> lose_context(uint8_t&) {
  return unavailable("context lost");
}

IsolatedWorker::Work counting(const std::vector<CountingWork>& works) {
  return [&works, done = uint8_t{0}](size_t item) mutable { return works[item](done); };
}

// What each item ends with, in order: its count, or a message.
std::vector<std::string> ends_of(const std::vector<CountingWork>& works, milliseconds limit) {
  IsolatedWorker worker(counting(works), limit);
  std::vector<std::string> ends;
  for (size_t i = 0; i < works.size(); ++i) {
    const Result<Bytes> result = worker.run(i);
    ends.push_back(result.ok() ? std::to_string(result->at(0)) : result.status().message());
  }
  return ends;
}

TEST(Isolated, BringsResultsAndErrors) {
  const Bytes large = random_bytes(1 << 20, 1);
  IsolatedWorker worker(
      [&](size_t item) -> Result<Bytes> {
        if (item == 7) return unsupported("no such thing");
        return item == 0 ? Bytes() : large;
      },
      milliseconds(60000));
  EXPECT_EQ(worker.run(1).value(), large);
  EXPECT_EQ(worker.run(0).value(), Bytes());
  EXPECT_EQ(worker.run(2).value(), large);
  const Result<Bytes> error = worker.run(7);
  EXPECT_EQ(error.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(error.status().message(), "no such thing");
}

TEST(Isolated, OneProcessGoesOnUntilSomethingGoesWrong) {
  EXPECT_EQ(ends_of({count, count, crash, count, count, count, lose_context, count, crash, crash,
                     count, count},
                    milliseconds(60000)),
            (std::vector<std::string>{"1", "2", "its process ended with signal 9", "1", "2", "3",
                                      "context lost", "1", "its process ended with signal 9",
                                      "its process ended with signal 9", "1", "2"}));
}

TEST(Isolated, OutlivesHangs) {
  EXPECT_EQ(ends_of({count, hang, count, count}, milliseconds(2000)),
            (std::vector<std::string>{"1", "still running after 2000 ms", "1", "2"}));
}

TEST(Isolated, TellsAnExitCode) {
  const auto leave = [](uint8_t&) -> Result<Bytes> { _exit(3); };
  EXPECT_EQ(ends_of({leave}, milliseconds(60000)),
            std::vector<std::string>{"its process ended with exit code 3"});
}

// The second has the socket of the first, which ends all the same.
TEST(Isolated, TwoAtATimeEndInAnyOrder) {
  const std::vector<CountingWork> works = {count};
  auto first = std::make_unique<IsolatedWorker>(counting(works), milliseconds(60000));
  EXPECT_EQ(first->run(0).value(), Bytes{1});
  IsolatedWorker second(counting(works), milliseconds(60000));
  EXPECT_EQ(second.run(0).value(), Bytes{1});
  first.reset();
  EXPECT_EQ(second.run(0).value(), Bytes{2});
}

Result<std::unique_ptr<DeviceRuntime>> make_emulated() {
  return std::unique_ptr<DeviceRuntime>(std::make_unique<emulation::EmulatedRuntime>());
}

TEST(CaseWorker, RunsCasesUntilOneDiesAndThenTheOthers) {
  Cases cases = emulated_target::all_cases();
  cases.resize(20);
  cases[7].run = [](const CaseMemory&) -> Status { _exit(3); };
  IsolatedWorker worker = case_worker(cases, 1, make_emulated);
  for (size_t i = 0; i < cases.size(); ++i) {
    const Result<Bytes> output = worker.run(i);
    const Bytes input = cases[i].input(1);
    EXPECT_EQ(judge_cuda(cases[i], input, output, {}).why,
              i == 7 ? "its process ended with exit code 3" : "")
        << cases[i].name;
  }
}

TEST(CaseWorker, OpensADeviceOnce) {
  const Cases cases = emulated_target::all_cases();
  IsolatedWorker worker =
      case_worker(cases, 1, [opened = false]() mutable -> Result<std::unique_ptr<DeviceRuntime>> {
        if (std::exchange(opened, true)) return unavailable("opened twice");
        return make_emulated();
      });
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(worker.run(i).status().message(), "");
}

TEST(CaseWorker, ADeviceThatCannotBeOpenedIsAnError) {
  const Cases cases = emulated_target::all_cases();
  IsolatedWorker worker = case_worker(cases, 1, []() -> Result<std::unique_ptr<DeviceRuntime>> {
    return unavailable("no device");
  });
  EXPECT_EQ(worker.run(0).status().message(), "no device");
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
  const Outcome outcome = can_run(test, ada);
  EXPECT_EQ(outcome.verdict, Verdict::kSkipped);
  EXPECT_EQ(outcome.why, "needs sm_90a, the code for this device is of sm_89");
  EXPECT_EQ(can_run(test, {.why_not = "none"}).why, "none");
  test.needs = Needs::kSm89;
  EXPECT_EQ(can_run(test, ada).verdict, Verdict::kOk);
}

TEST(Judge, ComparesAnOutputWithBothOthers) {
  const Case test = emulated_target::all_cases().front();
  const Bytes input = test.input(1);
  const Bytes right = judge_emulated(test, input, 1).output;
  Bytes other = right;
  other.front() ^= 1;
  EXPECT_EQ(judge_cuda(test, input, right, right).verdict, Verdict::kOk);
  EXPECT_EQ(judge_cuda(test, input, right, {}).verdict, Verdict::kOk);
  EXPECT_EQ(judge_cuda(test, input, other, {}).verdict, Verdict::kWrong);
  EXPECT_EQ(judge_cuda(test, input, right, other).why.substr(0, 11), "as emulated");
  EXPECT_EQ(judge_cuda(test, input, unavailable("lost"), right).why, "lost");
}

TEST(Report, FailsIfAnythingIsWrong) {
  Report report{.device = {}, .seeds = 1, .input_seed = 1};
  report.results = {{"a", {}, {Verdict::kSkipped, "no GPU"}}};
  EXPECT_FALSE(any_wrong(report));
  EXPECT_EQ(wrong_lines(report), "");
  report.results.push_back({"b", {}, {Verdict::kWrong, "differs"}});
  EXPECT_TRUE(any_wrong(report));
  EXPECT_EQ(wrong_lines(report), line_of(report.results[1]) + "\n");
  EXPECT_EQ(summary_of(report),
            "2 cases. emulated: 2 ok, 0 wrong, 0 skipped; cuda: 0 ok, 1 wrong, 1 skipped");
}

TEST(Report, SaysWhichDeviceWasNotAskedFor) {
  Report report{.device = {}, .seeds = 1, .input_seed = 1};
  const Outcome skipped = {Verdict::kSkipped, "--device cuda"};
  report.results = {{"a", skipped, {}}, {"b", skipped, {}}};
  EXPECT_EQ(line_of(report.results[0]).substr(44), " | skipped: --device cuda | ok");
  EXPECT_EQ(summary_of(report),
            "2 cases. emulated: 0 ok, 0 wrong, 2 skipped; cuda: 2 ok, 0 wrong, 0 skipped");
  EXPECT_FALSE(any_wrong(report));
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
