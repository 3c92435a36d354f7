// make_tensor_map of the cuda target: what the driver encodes, and what is said without one.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/device/tensor_map.h"
#include "kernels/device_query.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using device::make_tensor_map;
using device::TensorMap;

// The address is encoded, never read.
void* aligned_address() {
  alignas(128) static constexpr char kMemory[128] = {};
  return const_cast<char*>(kMemory);
}

// x [N=2, H=8, W=12, C=64] f16, loaded as [64 pixels, 64 channels].
TensorMapSpec im2col_spec() {
  TensorMapSpec spec{.mode = MapMode::kIm2col, .swizzle = Swizzle::k128B, .rank = 4};
  spec.address = aligned_address();
  spec.size = {64, 12, 8, 2};
  spec.stride_bytes = {0, 128, 128 * 12, 128 * 12 * 8};
  spec.box = {64};
  spec.pixels = 64;
  spec.lower = {-1, -1};
  spec.upper = {-1, -1};
  return spec;
}

TensorMapSpec tiled_spec() {
  TensorMapSpec spec{.swizzle = Swizzle::k128B, .rank = 2};
  spec.address = aligned_address();
  spec.size = {64, 96};
  spec.stride_bytes = {0, 128};
  spec.box = {64, 16};
  return spec;
}

bool are_equal(const TensorMap& a, const TensorMap& b) {
  return std::ranges::equal(a.map.opaque, b.map.opaque);
}

TEST(TensorMapCuda, RulesAreCheckedBeforeTheDriverIsAsked) {
  TensorMapSpec spec = tiled_spec();
  spec.stride_bytes[1] = 24;
  EXPECT_EQ(make_tensor_map(spec).status().code(), StatusCode::kInvalidArgument);
}

TEST(TensorMapCuda, WithoutADriverTheStatusNamesTheFunction) {
  if (query_devices().ok()) GTEST_SKIP() << "a CUDA device is present";
  const Status tiled = make_tensor_map(tiled_spec()).status();
  EXPECT_FALSE(tiled.ok());
  EXPECT_TRUE(tiled.message().starts_with("tensor map: cuTensorMapEncodeTiled")) << tiled.message();
  const Status im2col = make_tensor_map(im2col_spec()).status();
  EXPECT_FALSE(im2col.ok());
  EXPECT_TRUE(im2col.message().starts_with("tensor map: cuTensorMapEncodeIm2col"))
      << im2col.message();
}

TEST(TensorMapCuda, TheDriverTakesWhatTheRulesAllow) {
  if (!query_devices().ok()) GTEST_SKIP() << query_devices().status().message();
  for (const Swizzle swizzle : {Swizzle::kNone, Swizzle::k32B, Swizzle::k64B, Swizzle::k128B}) {
    TensorMapSpec spec = tiled_spec();
    spec.swizzle = swizzle;
    spec.box[0] = 16;
    ASSERT_OK(make_tensor_map(spec).status());
  }
  ASSERT_OK(make_tensor_map(im2col_spec()).status());
}

TEST(TensorMapCuda, CornersAreNotInterchangeable) {
  if (!query_devices().ok()) GTEST_SKIP() << query_devices().status().message();
  TensorMapSpec wide = im2col_spec(), high = im2col_spec();
  wide.lower = {-2, -1};
  high.lower = {-1, -2};
  const auto a = make_tensor_map(wide), b = make_tensor_map(high);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_FALSE(are_equal(*a, *b));
}

TEST(TensorMapCuda, SmallMapsAreRepairedForOldDrivers) {
  if (!query_devices().ok()) GTEST_SKIP() << query_devices().status().message();
  int driver = 0;
  ASSERT_EQ(cudaDriverGetVersion(&driver), cudaSuccess);
  if (driver > 13010) GTEST_SKIP() << "driver " << driver << " needs no repair";
  const auto map = make_tensor_map(tiled_spec());
  ASSERT_TRUE(map.ok()) << map.status().message();
  EXPECT_EQ(map->map.opaque[1] >> 21 & 1, 0u);
}

}  // namespace
}  // namespace yolocu
