// Base pixels of im2col accesses against the loops of a convolution.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/emulation/tensor_walk.h"
#include "tests/kernels/emulation/random_access.h"
#include "tests/support/test_support.h"

namespace yolocu::emulation {
namespace {

using Pixel = std::array<int64_t, 4>;  // W, H, D, N

// Base pixels of the images 0..last_image in the order of the output, without taps. Dimensions that
// the rank lacks have one pixel.
std::vector<Pixel> base_pixels(const TensorMapSpec& map, int64_t last_image) {
  std::array<std::vector<int64_t>, 3> bases = {{{0}, {0}, {0}}};
  for (int i = 0; i < map.rank - 2; ++i) {
    bases[i].clear();
    for (int64_t x = map.lower[i]; x <= map.size[i + 1] - 1 + map.upper[i];
         x += map.traversal[i + 1]) {
      bases[i].push_back(x);
    }
  }
  std::vector<Pixel> pixels;
  for (int64_t n = 0; n <= last_image; ++n) {
    for (int64_t d : bases[2]) {
      for (int64_t h : bases[1]) {
        for (int64_t w : bases[0]) pixels.push_back({w, h, d, n});
      }
    }
  }
  return pixels;
}

BoxAccess random_im2col(testing::RandomAccesses& random) {
  BoxAccess access;
  TensorMapSpec& map = access.map;
  map.mode = MapMode::kIm2col;
  map.rank = static_cast<int>(random.between(3, 5));
  map.swizzle = random.swizzle();
  map.size[0] = 8;
  map.box[0] = map.swizzle == Swizzle::k32B ? 16 : 8 * random.between(1, 3);
  if (map.swizzle != Swizzle::kNone) {
    map.box[0] = std::min(map.box[0], swizzle_span_bytes(map.swizzle) / 2);
  }
  map.pixels = random.between(1, 40);
  for (int i = 0; i < map.rank - 2; ++i) {
    map.size[i + 1] = random.between(3, 6);
    map.traversal[i + 1] = random.between(1, 3);
    map.lower[i] = random.between(-3, 1);
    map.upper[i] = random.between(-1, 3);
    access.taps[i] = static_cast<int32_t>(random.between(0, 2));
  }
  map.size[map.rank - 1] = random.between(1, 4);
  access.at[0] = static_cast<int32_t>(random.between(0, 3) > 0 ? 0 : 8 * random.between(-1, 1));
  random.place_tensor(map);
  return access;
}

// Offset of a base pixel's first channel after the taps, or -1 outside the tensor.
int64_t pixel_offset(const BoxAccess& access, const Pixel& base) {
  const TensorMapSpec& map = access.map;
  int64_t offset = 0;
  for (int i = 0; i < map.rank - 2; ++i) {
    const int64_t x = base[i] + access.taps[i];
    if (x < 0 || x >= map.size[i + 1]) return -1;
    offset += x * map.stride_bytes[i + 1];
  }
  const int64_t image = base[3];
  return image < map.size[map.rank - 1] ? offset + image * map.stride_bytes[map.rank - 1] : -1;
}

TEST(Im2colWalk, BasePixelsByTheLoopsOfAConvolution) {
  testing::RandomAccesses random(2);
  int64_t inside = 0;
  for (int i = 0; i < 2000; ++i) {
    BoxAccess access = random_im2col(random);
    const TensorMapSpec& map = access.map;
    ASSERT_OK(check_tensor_map(map));
    const auto pixels = base_pixels(map, map.size[map.rank - 1] + map.pixels);
    const auto in_tensor = base_pixels(map, map.size[map.rank - 1] - 1).size();
    const auto start = static_cast<size_t>(random.between(0, static_cast<int64_t>(in_tensor) - 1));
    for (int j = 0; j < map.rank - 2; ++j) {
      access.at[j + 1] = static_cast<int32_t>(pixels[start][j]);
    }
    access.at[map.rank - 1] = static_cast<int32_t>(pixels[start][3]);
    ASSERT_EQ(box_access_error(access, {MapMode::kIm2col, BoxDirection::kLoad, map.rank}), "");

    size_t row = 0;
    for_each_row(access, [&](const BoxRow& box_row) {
      const int64_t offset = pixel_offset(access, pixels[start + row++]);
      const bool channels_inside = access.at[0] == 0 || (access.at[0] < 0 && map.box[0] > 8);
      ASSERT_EQ(box_row.valid_bytes, offset >= 0 && channels_inside ? 16u : 0u) << i << ' ' << row;
      if (box_row.valid_bytes == 0) return;
      ASSERT_EQ(box_row.global, static_cast<std::byte*>(map.address) + offset) << i << ' ' << row;
      ++inside;
    });
    ASSERT_EQ(row, static_cast<size_t>(map.pixels));
  }
  EXPECT_GT(inside, 5000);
}

// A start between the strides walks its own grid to the end of its row, then that of the corner.
TEST(Im2colWalk, StartBetweenTheStrides) {
  alignas(16) std::array<std::byte, 512> memory = {};
  BoxAccess access;
  access.map = {.mode = MapMode::kIm2col,
                .rank = 3,
                .address = memory.data(),
                .size = {16, 8, 2},
                .stride_bytes = {0, 32, 256},
                .box = {16},
                .traversal = {1, 3, 1, 1, 1},  // base pixels -1, 2, 5; from 3: 3, 6
                .pixels = 4,
                .lower = {-1},
                .upper = {-1}};
  access.at = {0, 3, 0};
  std::vector<int64_t> offsets;
  for_each_row(access, [&](const BoxRow& row) {
    offsets.push_back(row.global == nullptr ? -1 : row.global - memory.data());
  });
  EXPECT_EQ(offsets, (std::vector<int64_t>{3 * 32, 6 * 32, -1, 256 + 2 * 32}));
}

}  // namespace
}  // namespace yolocu::emulation
