#include "kernels/launch.h"

#include <gtest/gtest.h>

#include "kernels/device_query.h"

namespace yolocu {
namespace {

Status check(const LaunchConfig& config) {
  return check_launch_limits("k", config);
}

TEST(LaunchLimits, AcceptsTheLimitsThemselves) {
  EXPECT_TRUE(check({.grid = {INT32_MAX, 65535, 65535}, .block = {1024}}).ok());
  EXPECT_TRUE(check({.block = {4, 4, 64}, .shared_bytes = 227 * 1024}).ok());
}

TEST(LaunchLimits, RefusesWhatNoDeviceCanRun) {
  EXPECT_FALSE(check({.grid = {0}}).ok());
  EXPECT_FALSE(check({.grid = {int64_t{INT32_MAX} + 1}}).ok());
  EXPECT_FALSE(check({.grid = {1, 65536}}).ok());
  EXPECT_FALSE(check({.grid = {1, 1, 65536}}).ok());
  EXPECT_FALSE(check({.block = {-32}}).ok());
  EXPECT_FALSE(check({.block = {1025}}).ok());
  EXPECT_FALSE(check({.block = {32, 33}}).ok());
  EXPECT_FALSE(check({.block = {1, 1, 65}}).ok());
  EXPECT_FALSE(check({.shared_bytes = -1}).ok());
  EXPECT_FALSE(check({.shared_bytes = 227 * 1024 + 1}).ok());
}

TEST(LaunchLimits, MessageNamesKernelExtentAndValues) {
  const Status status = check_launch_limits("conv_naive_f16", {.grid = {1, 70000}});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "kernel conv_naive_f16: expected grid.y in 1..65535, got 70000");
}

TEST(NamedKernel, RemembersItsOwnLine) {
  void (*function)(int) = nullptr;
  const auto kernel = named_kernel("k", function);
  EXPECT_EQ(kernel.site.line, __LINE__ - 1);
  EXPECT_NE(std::string_view(kernel.site.file).find("launch_test.cpp"), std::string_view::npos);
}

TEST(DeviceQuery, ListsDevicesOrSaysWhyThereAreNone) {
  const auto list = query_devices();
  if (!list.ok()) {
    EXPECT_TRUE(list.status().message().starts_with("CUDA ")) << list.status().message();
    GTEST_SKIP() << list.status().message();
  }
  ASSERT_FALSE(list->devices.empty());
  for (const DeviceInfo& device : list->devices) {
    EXPECT_FALSE(device.name.empty());
    EXPECT_GE(device.compute_major, 3);
    EXPECT_GT(device.memory_bytes, 0);
    EXPECT_GT(device.multiprocessors, 0);
    EXPECT_GE(device.shared_bytes_per_block, 48 * 1024);
  }
}

}  // namespace
}  // namespace yolocu
