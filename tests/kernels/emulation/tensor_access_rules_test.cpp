// The rules of one TMA access: just inside is accepted, just outside refused with its values.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

#include "kernels/emulation/tensor_walk.h"

namespace yolocu::emulation {
namespace {

alignas(16) std::array<std::byte, 4096> tensor_memory;

BoxInstruction tiled(BoxDirection direction, int rank) {
  return {MapMode::kTiled, direction, rank};
}
BoxInstruction im2col_load(int rank) {
  return {MapMode::kIm2col, BoxDirection::kLoad, rank};
}

// f16, 8 pixels in each dimension.
BoxAccess tiled_access(int rank) {
  BoxAccess access;
  access.map = {.rank = rank,
                .address = tensor_memory.data(),
                .size = {16, 8, 8, 8, 8},
                .stride_bytes = {0, 32, 256, 2048, 16384},
                .box = {16, 2, 2, 2, 2}};
  return access;
}

// Base pixels -1..6.
BoxAccess im2col_access(int rank) {
  BoxAccess access = tiled_access(rank);
  access.map.mode = MapMode::kIm2col;
  access.map.pixels = 4;
  access.map.lower = {-1, -1, -1};
  access.map.upper = {-1, -1, -1};
  return access;
}

TEST(TensorAccessRules, RankIsTheMaps) {
  for (int rank = 1; rank <= 5; ++rank) {
    EXPECT_EQ(box_access_error(tiled_access(rank), tiled(BoxDirection::kLoad, rank)), "");
  }
  EXPECT_EQ(box_access_error(tiled_access(4), tiled(BoxDirection::kLoad, 3)),
            "expected a map of rank 3, got rank 4");
}

TEST(TensorAccessRules, ModeIsTheMaps) {
  EXPECT_EQ(box_access_error(im2col_access(4), tiled(BoxDirection::kLoad, 4)),
            "expected a kTiled map, got kIm2col");
  EXPECT_EQ(box_access_error(tiled_access(4), im2col_load(4)),
            "expected a kIm2col map, got kTiled");
  EXPECT_EQ(box_access_error(im2col_access(4), {MapMode::kIm2col, BoxDirection::kStore, 4}),
            "expected a kTiled map for a store, got kIm2col");
}

TEST(TensorAccessRules, SharedAddressIsAlignedToThePattern) {
  const std::pair<Swizzle, uint32_t> patterns[] = {
      {Swizzle::kNone, 128}, {Swizzle::k32B, 256}, {Swizzle::k64B, 512}, {Swizzle::k128B, 1024}};
  for (const auto& [swizzle, bytes] : patterns) {
    BoxAccess access = tiled_access(2);
    access.map.swizzle = swizzle;
    access.shared_address = 3 * bytes;
    EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kLoad, 2)), "");
    access.shared_address = 3 * bytes + bytes / 2;
    const std::string expected = "the address in shared memory must be a multiple of " +
                                 std::to_string(bytes) + " bytes, got " +
                                 std::to_string(access.shared_address);
    EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kLoad, 2)), expected);
    EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kStore, 2)), expected);
  }
}

TEST(TensorAccessRules, FirstCoordinateIsWholeChunks) {
  BoxAccess access = tiled_access(2);
  access.at = {-8, 0};
  EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kLoad, 2)), "");
  access.at = {4, 0};
  EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kLoad, 2)),
            "coordinate 0 must be a multiple of 16 bytes, got 4 elements, 8 bytes");
}

TEST(TensorAccessRules, StoresHaveNoNegativeCoordinate) {
  for (int d = 0; d < 3; ++d) {
    BoxAccess access = tiled_access(3);
    EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kStore, 3)), "");
    access.at[d] = 1000 * 8;  // past the end: dropped
    EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kStore, 3)), "");
    access.at[d] = -8;
    EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kLoad, 3)), "");
    EXPECT_EQ(box_access_error(access, tiled(BoxDirection::kStore, 3)),
              "coordinate " + std::to_string(d) + " of a store must not be negative, got -8");
  }
}

TEST(TensorAccessRules, FirstBasePixelLiesInTheBox) {
  for (int rank = 3; rank <= 5; ++rank) {
    for (int d = 1; d < rank - 1; ++d) {
      BoxAccess access = im2col_access(rank);
      for (int32_t inside : {-1, 6}) {
        access.at[d] = inside;
        EXPECT_EQ(box_access_error(access, im2col_load(rank)), "");
      }
      for (int32_t outside : {-2, 7}) {
        access.at[d] = outside;
        EXPECT_EQ(box_access_error(access, im2col_load(rank)),
                  "coordinate " + std::to_string(d) + " must lie in the map's box -1..6, got " +
                      std::to_string(outside));
      }
    }
    BoxAccess access = im2col_access(rank);
    access.at[rank - 1] = 100;  // images past the last are fill
    EXPECT_EQ(box_access_error(access, im2col_load(rank)), "");
  }
}

TEST(TensorAccessRules, Taps) {
  const std::pair<int, int32_t> limits[] = {{3, 65535}, {4, 255}, {5, 31}};
  for (const auto& [rank, most] : limits) {
    for (int i = 0; i < rank - 2; ++i) {
      BoxAccess access = im2col_access(rank);
      access.taps[i] = most;
      EXPECT_EQ(box_access_error(access, im2col_load(rank)), "");
      for (int32_t outside : {-1, most + 1}) {
        access.taps[i] = outside;
        EXPECT_EQ(box_access_error(access, im2col_load(rank)),
                  "tap " + std::to_string(i) + " must be in 0.." + std::to_string(most) + ", got " +
                      std::to_string(outside));
      }
    }
  }
}

}  // namespace
}  // namespace yolocu::emulation
