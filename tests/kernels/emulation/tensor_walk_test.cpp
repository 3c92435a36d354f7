// TMA accesses of boxes against their definition: every element by its coordinates.
#include "kernels/emulation/tensor_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "tests/kernels/emulation/box_oracle.h"
#include "tests/support/test_support.h"

namespace yolocu::emulation {
namespace {

// The same from the chunks of the walk.
std::vector<std::byte> walked_image(const BoxAccess& access) {
  std::vector<std::byte> image(static_cast<size_t>(box_shape(access.map).footprint_bytes()),
                               kUntouched);
  for_each_chunk(access, [&](const BoxChunk& chunk) {
    ASSERT_LE(chunk.first_valid + chunk.valid_bytes, kBoxChunkBytes);
    ASSERT_GE(chunk.shared_address, access.shared_address);
    const size_t at = chunk.shared_address - access.shared_address;
    ASSERT_LE(at + kBoxChunkBytes, image.size());
    std::fill_n(&image[at], kBoxChunkBytes, kFill);
    if (chunk.valid_bytes == 0) return;
    std::memcpy(&image[at + chunk.first_valid], chunk.global, chunk.valid_bytes);
  });
  return image;
}

TEST(TensorWalk, BoxesByTheirDefinition) {
  testing::RandomAccesses random(1);
  int64_t moved = 0;
  for (int i = 0; i < 4000; ++i) {
    const BoxAccess access = random_box(random);
    ASSERT_OK(check_tensor_map(access.map));
    const auto image = walked_image(access);
    ASSERT_EQ(image, expected_image(access))
        << "access " << i << " of rank " << access.map.rank << ", shape " << access.map.size[0]
        << ',' << access.map.size[1] << ", box " << access.map.box[0] << ',' << access.map.box[1]
        << ", at " << access.at[0] << ',' << access.at[1];
    const auto untouched = std::count(image.begin(), image.end(), kUntouched);
    const auto gaps = box_shape(access.map).footprint_bytes() - box_shape(access.map).moved_bytes();
    ASSERT_GE(untouched, gaps);
    moved += box_shape(access.map).moved_bytes();
  }
  EXPECT_GT(moved, 100000);
}

// f16 [4, 8], no gaps; boxes of 2 rows of 16 channels.
struct SmallTensor {
  alignas(16) std::array<uint16_t, 32> memory = {};
  BoxAccess access;

  SmallTensor() {
    access.map = {.rank = 2,
                  .address = memory.data(),
                  .size = {8, 4},
                  .stride_bytes = {0, 16},
                  .box = {16, 2}};
  }
  BoxRow first_row() const { return BoxWalk(access).row(); }
};

TEST(TensorWalk, NegativeChannelsFillOnlyThemselves) {
  SmallTensor tensor;
  tensor.access.at = {-3, 1};
  const BoxRow row = tensor.first_row();
  EXPECT_EQ(row.first_valid, 6u);
  EXPECT_EQ(row.valid_bytes, 16u);
  EXPECT_EQ(row.global, reinterpret_cast<std::byte*>(&tensor.memory[8]));
  const BoxChunk first = chunk_of(row, 0, Swizzle::kNone);
  EXPECT_EQ(first.first_valid, 6u);
  EXPECT_EQ(first.valid_bytes, 10u);
  const BoxChunk second = chunk_of(row, 16, Swizzle::kNone);
  EXPECT_EQ(second.first_valid, 0u);
  EXPECT_EQ(second.valid_bytes, 6u);
  EXPECT_EQ(second.global, row.global + 10);
}

TEST(TensorWalk, ChannelsPastTheEnd) {
  SmallTensor tensor;
  tensor.access.at = {5, 0};
  EXPECT_EQ(tensor.first_row().first_valid, 0u);
  EXPECT_EQ(tensor.first_row().valid_bytes, 6u);
  tensor.access.at = {8, 0};
  EXPECT_EQ(tensor.first_row().valid_bytes, 0u);
  EXPECT_EQ(tensor.first_row().global, nullptr);
  tensor.access.at = {-16, 0};
  EXPECT_EQ(tensor.first_row().valid_bytes, 0u);
}

// Far away, where 32 bits of coordinate or offset would wrap.
TEST(TensorWalk, CoordinatesAtTheirLimits) {
  SmallTensor tensor;
  tensor.access.map.size = {8, int64_t{1} << 32};
  tensor.access.map.stride_bytes[1] = (int64_t{1} << 40) - 16;
  for (int32_t limit : {INT32_MIN, INT32_MAX}) {
    tensor.access.at = {limit, 0};
    for_each_row(tensor.access, [](const BoxRow& row) { EXPECT_EQ(row.valid_bytes, 0u); });
  }
  tensor.access.at = {0, INT32_MIN};
  for_each_row(tensor.access, [](const BoxRow& row) { EXPECT_EQ(row.valid_bytes, 0u); });
  tensor.access.at = {0, INT32_MAX};
  int rows_inside = 0;
  const auto count = [&](const BoxRow& row) { rows_inside += row.valid_bytes > 0 ? 1 : 0; };
  for_each_row(tensor.access, count);
  EXPECT_EQ(rows_inside, 2) << "sizes go to 2^32, coordinates to 2^31 - 1";
  tensor.access.at = {0, -1};
  for_each_row(tensor.access, count);
  EXPECT_EQ(rows_inside, 3);
}

TEST(TensorWalk, ShapeCountsFillAndNotGaps) {
  SmallTensor tensor;
  TensorMapSpec& map = tensor.access.map;
  EXPECT_EQ(box_shape(map).moved_bytes(), 64);
  EXPECT_EQ(box_shape(map).footprint_bytes(), 64);
  map.swizzle = Swizzle::k128B;
  EXPECT_EQ(box_shape(map).moved_bytes(), 64);
  EXPECT_EQ(box_shape(map).footprint_bytes(), 256);
  map.box[1] = 5;
  map.traversal[1] = 2;
  EXPECT_EQ(box_shape(map).rows, 3);
}

}  // namespace
}  // namespace yolocu::emulation
