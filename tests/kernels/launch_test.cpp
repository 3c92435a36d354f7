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
  EXPECT_TRUE(check({.grid = {8, 6, 4}, .cluster = {2, 2, 2}}).ok());
  EXPECT_TRUE(check({.grid = {1, 1, 16}, .cluster = {1, 1, 8}}).ok());
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

TEST(LaunchLimits, RefusesClustersThatNoGridHolds) {
  for (const Extent3& cluster : {Extent3{0, 1, 1}, Extent3{1, -1, 1}, Extent3{1, 1, 0}}) {
    EXPECT_FALSE(check({.grid = {8, 8, 8}, .cluster = cluster}).ok());
  }
  EXPECT_FALSE(check({.grid = {16}, .cluster = {16}}).ok());
  EXPECT_FALSE(check({.grid = {4, 4}, .cluster = {4, 4}}).ok());
  EXPECT_FALSE(check({.grid = {1, 2, 1}, .cluster = {2}}).ok());
  EXPECT_FALSE(check({.grid = {4, 3, 4}, .cluster = {1, 2}}).ok());
  EXPECT_FALSE(check({.grid = {4, 4, 3}, .cluster = {1, 1, 2}}).ok());
}

TEST(LaunchLimits, ClusterMessagesNameBothExtents) {
  EXPECT_EQ(check({.grid = {7}, .cluster = {2}}).message(),
            "kernel k: expected a grid of whole clusters [2,1,1], got [7,1,1]");
  EXPECT_EQ(check({.grid = {4, 4}, .cluster = {4, 4}}).message(),
            "kernel k: expected blocks of a cluster in 1..8, got 16");
}

TEST(SharedBytesLimit, FollowsTheComputeCapability) {
  EXPECT_EQ(shared_bytes_limit(8, 0), 163 * 1024);
  EXPECT_EQ(shared_bytes_limit(8, 6), 99 * 1024);
  EXPECT_EQ(shared_bytes_limit(8, 9), 99 * 1024);
  EXPECT_EQ(shared_bytes_limit(9, 0), 232448);
  EXPECT_EQ(shared_bytes_limit(10, 0), 232448);
  EXPECT_EQ(shared_bytes_limit(12, 0), 101376);
}

TEST(SharedBytesLimit, IsWhatEveryDeviceHasIfUnknown) {
  EXPECT_EQ(shared_bytes_limit(7, 5), 48 * 1024);
  EXPECT_EQ(shared_bytes_limit(99, 0), 48 * 1024);
  EXPECT_EQ(shared_bytes_limit(0, 90), 48 * 1024);  // nonsense, not 9.0
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
    EXPECT_GE(device.shared_bytes_per_block,
              shared_bytes_limit(device.compute_major, device.compute_minor));
  }
}

}  // namespace
}  // namespace yolocu
