// Every rule of a tensor map: just inside is accepted, just outside refused with field and value.
#include "kernels/tensor_map_spec.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

alignas(1024) std::byte tensor_memory[64];

// f16 [2, 16, 16, 64], boxes of 32 channels.
TensorMapSpec tiled_map() {
  return {.rank = 4,
          .address = tensor_memory,
          .size = {64, 16, 16, 2},
          .stride_bytes = {0, 128, 2048, 32768},
          .box = {32, 4, 4, 1}};
}

TensorMapSpec im2col_map() {
  TensorMapSpec map = tiled_map();
  map.mode = MapMode::kIm2col;
  map.box = {32};
  map.pixels = 64;
  map.lower = {-1, -1};
  map.upper = {-1, -1};
  return map;
}

TensorMapSpec im2col_map_of_rank(int rank) {
  TensorMapSpec map = im2col_map();
  map.rank = rank;
  map.size[4] = 2;
  map.stride_bytes[4] = 65536;
  return map;
}

using Change = std::function<void(TensorMapSpec&)>;

void expect_accepted(TensorMapSpec map, const Change& change) {
  change(map);
  ASSERT_OK(check_tensor_map(map));
}

void expect_refused(TensorMapSpec map, const std::string& message, const Change& change) {
  change(map);
  testing::expect_refused(check_tensor_map(map), StatusCode::kInvalidArgument, message);
}

TEST(TensorMapSpec, BytesOfTypesAndSpans) {
  EXPECT_EQ(map_type_bytes(MapType::kU8), 1);
  EXPECT_EQ(map_type_bytes(MapType::kF16), 2);
  EXPECT_EQ(map_type_bytes(MapType::kBF16), 2);
  EXPECT_EQ(map_type_bytes(MapType::kU32), 4);
  EXPECT_EQ(map_type_bytes(MapType::kI32), 4);
  EXPECT_EQ(map_type_bytes(MapType::kF32), 4);
  EXPECT_EQ(swizzle_span_bytes(Swizzle::kNone), 16);
  EXPECT_EQ(swizzle_span_bytes(Swizzle::k32B), 32);
  EXPECT_EQ(swizzle_span_bytes(Swizzle::k64B), 64);
  EXPECT_EQ(swizzle_span_bytes(Swizzle::k128B), 128);
}

TEST(TensorMapSpec, OrdinaryMapsAreAccepted) {
  ASSERT_OK(check_tensor_map(tiled_map()));
  for (int rank : {3, 4, 5}) ASSERT_OK(check_tensor_map(im2col_map_of_rank(rank)));
}

TEST(TensorMapSpec, Rank) {
  expect_refused(tiled_map(), "rank must be in 1..5, got 0", [](auto& map) { map.rank = 0; });
  expect_accepted(tiled_map(), [](auto& map) { map.rank = 1; });
  expect_accepted(tiled_map(), [](auto& map) {
    map.rank = 5;
    map.size[4] = map.box[4] = 1;
    map.stride_bytes[4] = 65536;
  });
  expect_refused(tiled_map(), "rank must be in 1..5, got 6", [](auto& map) { map.rank = 6; });
  expect_refused(im2col_map(), "rank must be in 3..5, got 2", [](auto& map) { map.rank = 2; });
  expect_refused(im2col_map(), "rank must be in 3..5, got 6", [](auto& map) { map.rank = 6; });
}

TEST(TensorMapSpec, Address) {
  expect_accepted(tiled_map(), [](auto& map) { map.address = tensor_memory + 16; });
  expect_refused(tiled_map(), "address must be a multiple of 16 bytes, got one 8 bytes past",
                 [](auto& map) { map.address = tensor_memory + 8; });
  expect_refused(tiled_map(), "address must not be null", [](auto& map) { map.address = nullptr; });
}

TEST(TensorMapSpec, FillIsNanForFloatsOnly) {
  for (MapType type : {MapType::kF16, MapType::kBF16, MapType::kF32}) {
    expect_accepted(tiled_map(), [&](auto& map) {
      map.type = type;
      map.fill = MapFill::kNan;
    });
  }
  for (MapType type : {MapType::kU8, MapType::kU32, MapType::kI32}) {
    expect_accepted(tiled_map(), [&](auto& map) { map.type = type; });
    expect_refused(tiled_map(), "fill kNan needs a float type", [&](auto& map) {
      map.type = type;
      map.fill = MapFill::kNan;
    });
  }
}

TEST(TensorMapSpec, Size) {
  for (int d = 0; d < 4; ++d) {
    const std::string field = "size[" + std::to_string(d) + "] must be in 1..4294967296, got ";
    expect_refused(tiled_map(), field + "0", [&](auto& map) { map.size[d] = 0; });
    expect_accepted(tiled_map(), [&](auto& map) { map.size[d] = 1; });
    expect_accepted(tiled_map(), [&](auto& map) { map.size[d] = int64_t{1} << 32; });
    expect_refused(tiled_map(), field + "4294967297",
                   [&](auto& map) { map.size[d] = (int64_t{1} << 32) + 1; });
  }
  expect_accepted(tiled_map(), [](auto& map) { map.size[4] = -1; });  // past the rank
}

TEST(TensorMapSpec, Stride) {
  for (int d = 1; d < 4; ++d) {
    const std::string field = "stride_bytes[" + std::to_string(d) + "] must be ";
    const std::string range = field + "in 16..1099511627760, got ";
    expect_refused(tiled_map(), range + "0", [&](auto& map) { map.stride_bytes[d] = 0; });
    expect_refused(tiled_map(), range + "-16", [&](auto& map) { map.stride_bytes[d] = -16; });
    expect_accepted(tiled_map(), [&](auto& map) { map.stride_bytes[d] = 16; });
    expect_refused(tiled_map(), field + "a multiple of 16, got 24",
                   [&](auto& map) { map.stride_bytes[d] = 24; });
    expect_accepted(tiled_map(), [&](auto& map) { map.stride_bytes[d] = (int64_t{1} << 40) - 16; });
    expect_refused(tiled_map(), range + "1099511627776",
                   [&](auto& map) { map.stride_bytes[d] = int64_t{1} << 40; });
  }
  expect_accepted(tiled_map(), [](auto& map) { map.stride_bytes[0] = 7; });  // ignored
}

TEST(TensorMapSpec, TraversalOfBoxes) {
  for (int d = 1; d < 4; ++d) {
    const std::string field = "traversal[" + std::to_string(d) + "] must be in 1..8, got ";
    expect_refused(tiled_map(), field + "0", [&](auto& map) { map.traversal[d] = 0; });
    expect_accepted(tiled_map(), [&](auto& map) { map.traversal[d] = 8; });
    expect_refused(tiled_map(), field + "9", [&](auto& map) { map.traversal[d] = 9; });
  }
  expect_accepted(tiled_map(), [](auto& map) { map.traversal[0] = 0; });  // ignored
}

TEST(TensorMapSpec, TraversalOfBasePixels) {
  for (int d = 1; d < 3; ++d) {
    const std::string field = "traversal[" + std::to_string(d) + "] must be in 1..8, got ";
    expect_refused(im2col_map(), field + "0", [&](auto& map) { map.traversal[d] = 0; });
    expect_accepted(im2col_map(), [&](auto& map) { map.traversal[d] = 8; });
    expect_refused(im2col_map(), field + "9", [&](auto& map) { map.traversal[d] = 9; });
  }
  expect_refused(im2col_map(), "traversal[3] of kIm2col, of images, must be 1, got 2",
                 [](auto& map) { map.traversal[3] = 2; });
}

TEST(TensorMapSpec, Box) {
  for (int d = 0; d < 4; ++d) {
    const std::string field = "box[" + std::to_string(d) + "] must be in 1..256, got ";
    expect_refused(tiled_map(), field + "0", [&](auto& map) { map.box[d] = 0; });
    expect_accepted(tiled_map(), [&](auto& map) { map.box[d] = 256; });
    expect_refused(tiled_map(), field + "257", [&](auto& map) { map.box[d] = 257; });
  }
  expect_accepted(tiled_map(), [](auto& map) { map.box[3] = 1; });
}

TEST(TensorMapSpec, ChannelsOfAPixel) {
  expect_refused(im2col_map(), "box[0] must be in 1..256, got 0",
                 [](auto& map) { map.box[0] = 0; });
  expect_accepted(im2col_map(), [](auto& map) { map.box[0] = 256; });
  expect_refused(im2col_map(), "box[0] must be in 1..256, got 257",
                 [](auto& map) { map.box[0] = 257; });
}

TEST(TensorMapSpec, BoxRowIsWholeChunks) {
  for (const TensorMapSpec& base : {tiled_map(), im2col_map()}) {
    expect_accepted(base, [](auto& map) { map.box[0] = 8; });
    expect_refused(base, "box[0] must be a multiple of 16 bytes, got 24 bytes",
                   [](auto& map) { map.box[0] = 12; });
    expect_refused(base, "box[0] must be a multiple of 16 bytes, got 8 bytes", [](auto& map) {
      map.type = MapType::kU8;
      map.box[0] = 8;
    });
    expect_accepted(base, [](auto& map) {
      map.type = MapType::kF32;
      map.box[0] = 4;
    });
  }
}

TEST(TensorMapSpec, BoxRowFitsTheSwizzle) {
  for (const TensorMapSpec& base : {tiled_map(), im2col_map()}) {
    for (Swizzle swizzle : {Swizzle::k32B, Swizzle::k64B, Swizzle::k128B}) {
      const int64_t span = swizzle_span_bytes(swizzle);
      expect_accepted(base, [&](auto& map) {
        map.swizzle = swizzle;
        map.box[0] = span / 2;
      });
      const std::string values =
          std::to_string(span) + " bytes, got " + std::to_string(span + 16) + " bytes";
      expect_refused(base, "box[0] must be at most the swizzle's " + values, [&](auto& map) {
        map.swizzle = swizzle;
        map.box[0] = span / 2 + 8;
      });
    }
  }
}

TEST(TensorMapSpec, Pixels) {
  expect_refused(im2col_map(), "pixels must be in 1..1024, got 0",
                 [](auto& map) { map.pixels = 0; });
  expect_accepted(im2col_map(), [](auto& map) { map.pixels = 1; });
  expect_accepted(im2col_map(), [](auto& map) { map.pixels = 1024; });
  expect_refused(im2col_map(), "pixels must be in 1..1024, got 1025",
                 [](auto& map) { map.pixels = 1025; });
  expect_accepted(tiled_map(), [](auto& map) { map.pixels = 0; });  // not of kTiled
}

TEST(TensorMapSpec, Corners) {
  struct Limits {
    int rank;
    int64_t least, most;
  };
  for (const auto& [rank, least, most] :
       {Limits{3, -32768, 32767}, Limits{4, -128, 127}, Limits{5, -16, 15}}) {
    TensorMapSpec map = im2col_map_of_rank(rank);
    for (int i = 1; i < rank - 1; ++i) map.size[i] = 100000;
    const std::string range =
        "must be in " + std::to_string(least) + ".." + std::to_string(most) + ", got ";
    for (int i = 0; i < rank - 2; ++i) {
      for (auto corner : {&TensorMapSpec::lower, &TensorMapSpec::upper}) {
        const std::string name = corner == &TensorMapSpec::lower ? "lower" : "upper";
        const std::string field = name + "[" + std::to_string(i) + "] " + range;
        expect_accepted(map, [&](auto& m) { (m.*corner)[i] = least; });
        expect_accepted(map, [&](auto& m) { (m.*corner)[i] = most; });
        expect_refused(map, field + std::to_string(least - 1),
                       [&](auto& m) { (m.*corner)[i] = least - 1; });
        expect_refused(map, field + std::to_string(most + 1),
                       [&](auto& m) { (m.*corner)[i] = most + 1; });
      }
    }
    expect_accepted(map, [&](auto& m) {
      if (rank < 5) m.lower[rank - 2] = m.upper[rank - 2] = 1 << 20;  // not of this rank
    });
  }
}

TEST(TensorMapSpec, BoxOfBasePixelsIsNotEmpty) {
  for (int i = 0; i < 2; ++i) {  // sizes 16: base pixels lower..15 + upper
    expect_accepted(im2col_map(), [&](auto& map) {
      map.lower[i] = 10;
      map.upper[i] = -5;
    });
    expect_refused(
        im2col_map(),
        "box of base pixels of size[" + std::to_string(i + 1) + "] must not be empty, got 10..9",
        [&](auto& map) {
          map.lower[i] = 10;
          map.upper[i] = -6;
        });
  }
}

}  // namespace
}  // namespace yolocu
