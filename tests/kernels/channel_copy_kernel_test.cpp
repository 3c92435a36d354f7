// The device code of channel_copy on the host emulation of CUDA, every access checked.
#include "kernels/copy/channel_copy_kernel.cuh"

#include <gtest/gtest.h>

#include "kernels/copy/channel_copy.h"
#include "kernels/copy/tile.h"
#include "kernels/emulation/launch.h"
#include "tests/reference/channel_copy.h"

namespace yolocu {
namespace {

using device::GlobalPtr;

template <int64_t bytes>
struct alignas(bytes) Vector {
  uint8_t data[bytes];
};

template <typename Element, int64_t vector_bytes>
constexpr auto kernel_of() {
  if constexpr (vector_bytes == sizeof(Element)) {
    return channel_copy_naive_kernel<Element>;
  } else {
    return channel_copy_vector_kernel<Vector<vector_bytes>, Element>;
  }
}

// The bytes of dst after the copy; none, and a failure, if the emulator reports an error.
template <typename Element, int64_t vector_bytes>
std::vector<uint8_t> run_variant(ChannelCopyTile tile, const ChannelCopyProblem& problem,
                                 const std::vector<uint8_t>& dst, const std::vector<uint8_t>& src) {
  emulation::EmulatedDevice emulated;
  using Buffer = emulation::EmulatedBuffer<uint8_t>;
  Buffer out = Buffer::create(emulated, static_cast<int64_t>(dst.size()), "dst").value();
  Buffer in = Buffer::create(emulated, static_cast<int64_t>(src.size()), "src").value();
  EXPECT_TRUE(out.upload(dst).ok() && in.upload(src).ok());
  const ChannelCopyShape shape{problem.pixels, problem.channels, problem.dst_pixel_stride,
                               problem.src_pixel_stride};
  const Status status = emulated.launch(
      named_kernel("channel_copy", kernel_of<Element, vector_bytes>()),
      {.grid = {tile.blocks}, .block = {tile.lanes, tile.pixels}},
      GlobalPtr(reinterpret_cast<Element*>(out.data()) + problem.dst_offset),
      GlobalPtr(reinterpret_cast<const Element*>(in.data()) + problem.src_offset), shape);
  EXPECT_TRUE(status.ok()) << status.message();
  return status.ok() ? out.download().value() : std::vector<uint8_t>();
}

std::vector<uint8_t> run_named(const ChannelCopyVariant& variant, ChannelCopyTile tile,
                               const ChannelCopyProblem& problem, const std::vector<uint8_t>& dst,
                               const std::vector<uint8_t>& src) {
#define VARIANT(variant_name, algorithm, dtype, bytes)                                   \
  if (variant.name == #variant_name) {                                                   \
    using Element = std::conditional_t<DType::dtype == DType::kF16, uint16_t, uint32_t>; \
    return run_variant<Element, bytes>(tile, problem, dst, src);                         \
  }
#include "kernels/copy/variants.inc"
#undef VARIANT
  return {};
}

class ChannelCopyKernel : public ::testing::TestWithParam<ChannelCopyVariant> {};

TEST_P(ChannelCopyKernel, EqualsTheOracleByteForByte) {
  int problems = 0;
  for (const ChannelCopyProblem& problem : testing::channel_copy_problems(GetParam().dtype)) {
    if (!can_implement(GetParam(), problem).ok()) continue;
    ++problems;
    const auto dst =
        testing::patterned_bytes(problem.dtype, problem.pixels, problem.dst_pixel_stride, 1);
    const auto src =
        testing::patterned_bytes(problem.dtype, problem.pixels, problem.src_pixel_stride, 2);
    const ChannelCopyTile tile = choose_tile(GetParam(), problem);
    EXPECT_TRUE(run_named(GetParam(), tile, problem, dst, src) ==
                testing::reference_channel_copy(dst, src, problem))
        << testing::describe(problem);
  }
  EXPECT_GE(problems, 40) << "the problems must exercise every variant";
}

TEST_P(ChannelCopyKernel, LoopsOverWhatASmallGridLeaves) {
  const ChannelCopyProblem problem = testing::channel_copy_problems(GetParam().dtype).back();
  ASSERT_TRUE(can_implement(GetParam(), problem).ok());
  const auto dst =
      testing::patterned_bytes(problem.dtype, problem.pixels, problem.dst_pixel_stride, 3);
  const auto src =
      testing::patterned_bytes(problem.dtype, problem.pixels, problem.src_pixel_stride, 4);
  ChannelCopyTile tile = choose_tile(GetParam(), problem);
  tile.blocks = 1;
  EXPECT_TRUE(run_named(GetParam(), tile, problem, dst, src) ==
              testing::reference_channel_copy(dst, src, problem));
}

INSTANTIATE_TEST_SUITE_P(Inventory, ChannelCopyKernel,
                         ::testing::ValuesIn(channel_copy_variants().begin(),
                                             channel_copy_variants().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace yolocu
