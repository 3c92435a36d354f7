// What every device promises at creation, shown on the reference device.
#include "engine/executor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/cpu/kernels/kernel_table.h"
#include "kernels/device_query.h"
#include "tests/support/tiny_model.h"

namespace yolocu {
namespace {

using testing::tiny_model;

TEST(CreateExecutor, UsesTheModelsDefaultSize) {
  auto executor = create_executor(tiny_model(), Device::kReference, {});
  ASSERT_OK(executor);
  EXPECT_EQ((*executor)->batch(), 1);
  EXPECT_EQ((*executor)->height(), 8);
  EXPECT_EQ((*executor)->width(), 8);
  EXPECT_EQ((*executor)->input().size(), 8u * 8 * 3);
  EXPECT_EQ((*executor)->anchors(), 16);
  EXPECT_EQ((*executor)->row(), 6);
  EXPECT_EQ((*executor)->output().size(), 16u * 6);
}

TEST(CreateExecutor, RefusesImpossibleSizes) {
  const ExecutorOptions bad[] = {{.batch = 0},
                                 {.batch = -3},
                                 {.height = 7, .width = 8},
                                 {.height = 8, .width = -2},
                                 {.height = INT64_MAX, .width = 8},
                                 {.batch = INT64_MAX}};
  for (const ExecutorOptions& options : bad) {
    const auto executor = create_executor(tiny_model(), Device::kReference, options);
    ASSERT_FALSE(executor.ok()) << options.batch << " " << options.height << " " << options.width;
    EXPECT_NE(executor.status().message(), "");
  }
  const auto odd = create_executor(tiny_model(), Device::kReference, {.height = 7, .width = 8});
  EXPECT_NE(odd.status().message().find("multiple of 2"), std::string::npos)
      << odd.status().message();
}

TEST(CreateExecutor, RefusesPrecisionsTheReferenceCannotCompute) {
  for (const Precision precision : {Precision::kFp16, Precision::kBf16}) {
    const auto executor =
        create_executor(tiny_model(), Device::kReference, {.precision = precision});
    EXPECT_EQ(executor.status().code(), StatusCode::kUnsupported);
  }
}

TEST(CreateExecutor, Int8NeedsAQuantizedModel) {
  const auto executor =
      create_executor(tiny_model(), Device::kReference, {.precision = Precision::kInt8});
  testing::expect_refused(executor.status(), StatusCode::kInvalidArgument, "yolocu quantize");
}

// Without a card, driver or CUDA in the build the error says what to do, and the process goes on.
TEST(CreateExecutor, CudaThatIsNotThereSaysSo) {
  if (query_devices().ok()) GTEST_SKIP() << "this machine has a CUDA device";
  const auto executor = create_executor(tiny_model(), Device::kCuda, {});
  ASSERT_FALSE(executor.ok());
  EXPECT_NE(executor.status().message().find("--device cpu"), std::string::npos)
      << executor.status().message();
  EXPECT_NE(resolve_device(Device::kAuto), Device::kCuda);
  EXPECT_OK(create_executor(tiny_model(), Device::kAuto, {}));
}

TEST(CreateExecutor, GpuDevicesRefuseInt8) {
  const auto executor =
      create_executor(tiny_model(), Device::kEmulated, {.precision = Precision::kInt8});
  EXPECT_EQ(executor.status().code(), StatusCode::kUnsupported);
}

// Every timed run sees the input that was filled in, whatever runs do to it.
TEST(TimeRuns, RunTheSameInputAgainAndAgain) {
  for (const Device device : {Device::kReference, Device::kCpu, Device::kEmulated}) {
    auto executor = create_executor(tiny_model(), device, {.input = InputLifetime::kKept});
    if (executor.status().code() == StatusCode::kUnsupported) continue;  // not in this build
    ASSERT_OK(executor);
    const std::vector<float> x = testing::random_floats((*executor)->input().size(), 3);
    std::copy(x.begin(), x.end(), (*executor)->input().begin());
    ASSERT_TRUE((*executor)->run().ok());
    const std::vector<float> y((*executor)->output().begin(), (*executor)->output().end());
    std::copy(x.begin(), x.end(), (*executor)->input().begin());
    const auto times = (*executor)->time_runs(1, 4);
    ASSERT_OK(times);
    EXPECT_EQ(times->size(), 4u) << device_name(device);
    EXPECT_GT(*std::min_element(times->begin(), times->end()), 0) << device_name(device);
    const std::span<const float> last = (*executor)->output();
    EXPECT_TRUE(std::equal(y.begin(), y.end(), last.begin(), last.end())) << device_name(device);
  }
}

TEST(TimeRuns, GraphsNeedAnInputThatIsKept) {
  auto executor = create_executor(tiny_model(), Device::kEmulated, {});
  if (executor.status().code() == StatusCode::kUnsupported) GTEST_SKIP() << "no emulated device";
  ASSERT_OK(executor);
  EXPECT_EQ((*executor)->time_runs(0, 1).status().code(), StatusCode::kInvalidArgument);
}

TEST(ResolvePrecision, IsTheDevicesChoice) {
  EXPECT_EQ(resolve_precision(Device::kEmulated, Precision::kAuto), Precision::kFp16);
  EXPECT_EQ(resolve_precision(Device::kReference, Precision::kAuto), Precision::kFp32);
  EXPECT_EQ(resolve_precision(Device::kEmulated, Precision::kBf16), Precision::kBf16);
  EXPECT_EQ(fastest_precision(Device::kEmulated), Precision::kFp16);
  EXPECT_EQ(fastest_precision(Device::kReference), Precision::kFp32);
  EXPECT_EQ(fastest_precision(Device::kCpu),
            cpu::kernel_table().has_dot ? Precision::kBf16 : Precision::kFp32);
}

TEST(ReferenceExecutor, ComputesTheTinyModelByHand) {
  auto executor =
      create_executor(tiny_model(), Device::kReference, {.batch = 2, .height = 2, .width = 4});
  ASSERT_OK(executor);
  std::span<float> x = (*executor)->input();
  std::fill(x.begin(), x.end(), 0.0f);
  std::fill(x.begin() + 24, x.end(), 1.0f);  // the second picture is white
  ASSERT_TRUE((*executor)->run().ok());
  // Black: all logits are the biases (0 for boxes, 1 for classes): bins 0 and 1 equally likely.
  const std::span<const float> y = (*executor)->output();
  ASSERT_EQ(y.size(), 2u * 2 * 6);
  const float sigmoid_1 = 0.7310586f, sigmoid_7 = 0.9990889f;
  const std::vector<float> expected{
      1, 1, 2, 2, sigmoid_1, sigmoid_1, 3, 1, 2, 2, sigmoid_1, sigmoid_1,
      1, 1, 2, 2, sigmoid_7, sigmoid_7, 3, 1, 2, 2, sigmoid_7, sigmoid_7};
  EXPECT_TRUE(testing::all_close(y, expected, 1e-6, 0));
}

// Every device; the first one may be gone.
TEST(CreateExecutor, SharesItsModelWithOtherShapes) {
  for (const Device device : {Device::kReference, Device::kAuto}) {
    auto first = create_executor(tiny_model(), device, {.height = 4, .width = 8});
    ASSERT_OK(first);
    auto second = (*first)->share({.batch = 3, .height = 2, .width = 6});
    ASSERT_OK(second);
    first->reset();
    EXPECT_EQ((*second)->batch(), 3);
    EXPECT_EQ((*second)->height(), 2);
    EXPECT_EQ((*second)->width(), 6);
    std::ranges::fill((*second)->input(), 1.0f);
    EXPECT_OK((*second)->run());
    EXPECT_EQ((*second)->output().size(), 3u * 3 * 6);
    const auto refused = (*second)->share({.height = 3, .width = 6});
    EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(ReferenceExecutor, RunsAgainWithTheSameBits) {
  auto executor = create_executor(tiny_model(), Device::kReference, {});
  ASSERT_OK(executor);
  const auto x = testing::random_floats((*executor)->input().size(), 7);
  std::vector<float> outputs[2];
  for (std::vector<float>& output : outputs) {
    std::copy(x.begin(), x.end(), (*executor)->input().begin());
    ASSERT_TRUE((*executor)->run().ok());
    output.assign((*executor)->output().begin(), (*executor)->output().end());
  }
  EXPECT_EQ(outputs[0], outputs[1]);
}

}  // namespace
}  // namespace yolocu
