// Every variant of channel_copy on every device, against the oracle. Whole buffers are compared, so
// a store outside the channels fails too.
#include "kernels/copy/channel_copy_kernel.cuh"

#include "kernels/emulation/runtime.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/channel_copy.h"

namespace yolocu {
namespace {

using testing::DeviceKind;

std::string_view name_of(const ChannelCopyVariant& variant) {
  return variant.name;
}

class ChannelCopyKernel : public testing::KernelTest<ChannelCopyVariant> {};

TEST_P(ChannelCopyKernel, EqualsTheOracleByteForByte) {
  int problems = 0;
  for (const ChannelCopyProblem& problem : testing::channel_copy_problems(test_case().dtype)) {
    if (!can_implement(test_case(), problem).ok()) continue;
    ++problems;
    const auto dst =
        testing::patterned_bytes(problem.dtype, problem.pixels, problem.dst_pixel_stride, 1);
    const auto src =
        testing::patterned_bytes(problem.dtype, problem.pixels, problem.src_pixel_stride, 2);
    const DeviceMemory out = to_device(dst, "dst"), in = to_device(src, "src");
    ASSERT_OK(kernels().channel_copy(out.data(), in.data(), problem, test_case(), stream()));
    EXPECT_TRUE(to_host(out) == testing::reference_channel_copy(dst, src, problem))
        << testing::describe(problem);
  }
  EXPECT_GE(problems, 40) << "the problems must exercise every variant";
}

TEST_P(ChannelCopyKernel, RefusesAMisalignedPointer) {
  const ChannelCopyProblem problem = testing::channel_copy_problems(test_case().dtype).back();
  alignas(16) uint8_t memory[32];
  testing::expect_refused(
      kernels().channel_copy(memory + 1, memory, problem, test_case(), stream()),
      StatusCode::kInvalidArgument, "dst");
}

YOLOCU_INSTANTIATE_ON_DEVICES(ChannelCopyKernel,
                              ::testing::ValuesIn(channel_copy_variants().begin(),
                                                  channel_copy_variants().end()),
                              name_of);

// The grids of choose_tile cover all pixels of any problem that fits a test; a grid of one block
// must loop.
template <typename Element>
void expect_loops(void (*kernel)(device::GlobalPtr<Element>, device::GlobalPtr<const Element>,
                                 ChannelCopyShape),
                  Extent3 block) {
  const ChannelCopyProblem problem = testing::channel_copy_problems(DType::kF16).back();
  const auto dst =
      testing::patterned_bytes(DType::kF16, problem.pixels, problem.dst_pixel_stride, 3);
  const auto src =
      testing::patterned_bytes(DType::kF16, problem.pixels, problem.src_pixel_stride, 4);
  auto device = testing::open_device(DeviceKind::kEmulated);
  ASSERT_OK(device);
  const Stream stream = device->stream.get();
  const DeviceMemory out = testing::to_device(*device->runtime, stream, dst, "dst");
  const DeviceMemory in = testing::to_device(*device->runtime, stream, src, "src");
  ASSERT_OK(launch(named_kernel("channel_copy", kernel), {.block = block, .stream = stream},
                   device::GlobalPtr(out.data<Element>() + problem.dst_offset),
                   device::GlobalPtr<const Element>(in.data<Element>() + problem.src_offset),
                   ChannelCopyShape{problem.pixels, problem.channels, problem.dst_pixel_stride,
                                    problem.src_pixel_stride}));
  EXPECT_TRUE(testing::to_host(*device->runtime, stream, out) ==
              testing::reference_channel_copy(dst, src, problem));
}

TEST(ChannelCopyLoops, OverWhatASmallGridLeaves) {
  expect_loops<uint16_t>(channel_copy_naive_kernel<uint16_t>, {1, 256});
  expect_loops<uint16_t>(channel_copy_vector_kernel<device::Words4, uint16_t>, {32, 8});
}

// Without a driver the launch itself must come back as a Status that names the kernel and place.
TEST(Launch, FailureNamesKernelAndPlace) {
  const auto devices = query_devices();
  if (devices.ok()) GTEST_SKIP() << "a CUDA device is present";
  const ChannelCopyVariant variant = channel_copy_variants().front();
  const ChannelCopyProblem problem = testing::channel_copy_problems(variant.dtype).front();
  alignas(16) uint8_t memory[64];
  const Status status = cuda_kernels().channel_copy(memory, memory + 32, problem, variant, nullptr);
  EXPECT_FALSE(status.ok());
  if (devices.status().code() == StatusCode::kUnsupported) {
    EXPECT_EQ(status.message(), "CUDA kernels: this program was built without CUDA");
    return;
  }
  EXPECT_NE(status.message().find("kernel channel_copy_naive_f16_v2: cudaError"), std::string::npos)
      << status.message();
  EXPECT_NE(status.message().find(" (kernels/copy/variants.inc:"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace yolocu
