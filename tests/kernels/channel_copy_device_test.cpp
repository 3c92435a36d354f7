// Every variant of channel_copy on a CUDA device, against the oracle. Whole buffers are compared,
// so a store outside the channels fails too.
#include <gtest/gtest.h>

#include "kernels/copy/channel_copy.h"
#include "tests/kernels/device_test_support.h"
#include "tests/reference/channel_copy.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

class ChannelCopyDevice : public ::testing::TestWithParam<ChannelCopyVariant> {};

TEST_P(ChannelCopyDevice, EqualsTheOracleByteForByte) {
  YOLOCU_REQUIRE_DEVICE();
  for (const ChannelCopyProblem& problem : testing::channel_copy_problems(GetParam().dtype)) {
    if (!can_implement(GetParam(), problem).ok()) continue;
    const auto dst =
        testing::patterned_bytes(problem.dtype, problem.pixels, problem.dst_pixel_stride, 1);
    const auto src =
        testing::patterned_bytes(problem.dtype, problem.pixels, problem.src_pixel_stride, 2);
    testing::DeviceBuffer out(dst), in(src);
    ASSERT_OK(channel_copy(out.data(), in.data(), problem, GetParam(), nullptr));
    EXPECT_TRUE(out.bytes() == testing::reference_channel_copy(dst, src, problem))
        << testing::describe(problem);
  }
}

TEST_P(ChannelCopyDevice, RefusesAMisalignedPointer) {
  const ChannelCopyProblem problem = testing::channel_copy_problems(GetParam().dtype).back();
  alignas(16) uint8_t memory[32];
  const Status status = channel_copy(memory + 1, memory, problem, GetParam(), nullptr);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("dst"), std::string::npos) << status.message();
}

INSTANTIATE_TEST_SUITE_P(Inventory, ChannelCopyDevice,
                         ::testing::ValuesIn(channel_copy_variants().begin(),
                                             channel_copy_variants().end()),
                         [](const auto& test) { return std::string(test.param.name); });

// Without a driver the launch itself must come back as a Status that names the kernel and place.
TEST(Launch, FailureNamesKernelAndPlace) {
  if (query_devices().ok()) GTEST_SKIP() << "a CUDA device is present";
  const ChannelCopyVariant variant = channel_copy_variants().front();
  const ChannelCopyProblem problem = testing::channel_copy_problems(variant.dtype).front();
  alignas(16) uint8_t memory[64];
  const Status status = channel_copy(memory, memory + 32, problem, variant, nullptr);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("kernel channel_copy_naive_f16_v2: cudaError"), std::string::npos)
      << status.message();
  EXPECT_NE(status.message().find(" (kernels/copy/variants.inc:"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace yolocu
