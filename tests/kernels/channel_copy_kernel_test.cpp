// The device code of channel_copy, run thread by thread on the host: it has no barriers and no
// shared memory, so plain loops over blocks and threads are a faithful execution.
#include <gtest/gtest.h>

#include "kernels/copy/channel_copy.h"
#include "kernels/copy/tile.h"
#include "tests/reference/channel_copy.h"

#define __global__
namespace {
struct Index3 {
  unsigned x, y, z;
};
Index3 gridDim, blockDim, blockIdx, threadIdx;
}  // namespace
#include "kernels/copy/channel_copy_kernel.cuh"

namespace yolocu {
namespace {

template <int64_t bytes>
struct alignas(bytes) Vector {
  uint8_t data[bytes];
};

template <typename Kernel>
void run_on_host(const ChannelCopyTile& tile, const Kernel& kernel) {
  gridDim = {static_cast<unsigned>(tile.blocks), 1, 1};
  blockDim = {static_cast<unsigned>(tile.lanes), static_cast<unsigned>(tile.pixels), 1};
  for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) {
    for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y) {
      for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) kernel();
    }
  }
}

// A buffer whose first byte has the alignment that problems promise.
class AlignedBytes {
 public:
  explicit AlignedBytes(const std::vector<uint8_t>& bytes)
      : size_(bytes.size()), storage_(bytes.size() / 16 + 1) {
    std::memcpy(storage_.data(), bytes.data(), size_);
  }
  template <typename Element>
  Element* as() {
    return reinterpret_cast<Element*>(storage_.data());
  }
  std::vector<uint8_t> bytes() {
    const auto* first = as<uint8_t>();
    return {first, first + size_};
  }

 private:
  size_t size_;
  std::vector<Vector<16>> storage_;
};

template <typename Element, int64_t vector_bytes>
std::vector<uint8_t> run_variant(ChannelCopyTile tile, const ChannelCopyProblem& problem,
                                 const std::vector<uint8_t>& dst, const std::vector<uint8_t>& src) {
  AlignedBytes out(dst), in(src);
  const ChannelCopyShape shape{problem.pixels, problem.channels, problem.dst_pixel_stride,
                               problem.src_pixel_stride};
  Element* to = out.as<Element>() + problem.dst_offset;
  const Element* from = in.as<Element>() + problem.src_offset;
  run_on_host(tile, [&] {
    if constexpr (vector_bytes == sizeof(Element)) {
      channel_copy_naive_kernel<Element>(to, from, shape);
    } else {
      channel_copy_vector_kernel<Vector<vector_bytes>, Element>(to, from, shape);
    }
  });
  return out.bytes();
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
