// Legality, selection and records of the letterbox: pure host code.
#include "kernels/preprocess/letterbox.h"

#include <gtest/gtest.h>

#include "engine/base/str_cat.h"
#include "kernels/preprocess/tile.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

LetterboxProblem input(int64_t channels, ChannelView y) {
  return {.height = 64, .width = 96, .channels = channels, .y = y};
}

std::string selected(const LetterboxProblem& problem) {
  const auto variant = select_letterbox(problem);
  return variant.ok() ? std::string(variant->name) : variant.status().message();
}

TEST(LetterboxInventory, NamesDecodeToTheirFields) {
  for (const LetterboxVariant& variant : letterbox_variants()) {
    const char* dtype = variant.dtype == DType::kF16    ? "f16"
                        : variant.dtype == DType::kBF16 ? "bf16"
                                                        : "f32";
    EXPECT_EQ(variant.name, str_cat("letterbox_", dtype, "_v", variant.vector_bytes));
  }
}

TEST(LetterboxSelection, WidestStoresThatChannelsAndViewAllow) {
  EXPECT_EQ(selected(input(8, {8, 0})), "letterbox_f16_v16");
  EXPECT_EQ(selected(input(4, {4, 0})), "letterbox_f16_v8");
  EXPECT_EQ(selected(input(8, {12, 4})), "letterbox_f16_v8");
  EXPECT_EQ(selected(input(3, {4, 0})), "letterbox_f16_v2");
  EXPECT_EQ(selected(input(8, {9, 1})), "letterbox_f16_v2");
  LetterboxProblem problem = input(4, {4, 0});
  problem.dtype = DType::kF32;
  EXPECT_EQ(selected(problem), "letterbox_f32_v16");
  problem.alignment_bytes = 8;
  EXPECT_EQ(selected(problem), "letterbox_f32_v4");
  problem.dtype = DType::kU8;
  EXPECT_EQ(selected(problem), "letterbox: no variant for U8");
}

TEST(LetterboxLegality, RefusesProblemsThatMakeNoSense) {
  using P = LetterboxProblem;
  const auto refuses = [](StatusCode code, const std::string& fragment, void (*change)(P&)) {
    P problem = input(4, {4, 0});
    change(problem);
    testing::expect_refused(can_implement(letterbox_variants().front(), problem), code, fragment);
  };
  const auto kInvalid = StatusCode::kInvalidArgument;
  ASSERT_OK(can_implement(letterbox_variants().front(), input(4, {4, 0})));
  refuses(kInvalid, "height", [](P& p) { p.height = 0; });
  refuses(kInvalid, "width", [](P& p) { p.width = -1; });
  refuses(kInvalid, "batch", [](P& p) { p.batch = 0; });
  refuses(kInvalid, "channels", [](P& p) { p.channels = 2; });
  refuses(kInvalid, "pad_value", [](P& p) { p.pad_value = 256; });
  refuses(kInvalid, "do not fit", [](P& p) { p.y.offset = 1; });
  refuses(kInvalid, "alignment", [](P& p) { p.alignment_bytes = 6; });
  refuses(StatusCode::kUnsupported, "batch", [](P& p) { p.batch = 65536; });
  refuses(StatusCode::kUnsupported, "2^31", [](P& p) { p.width = p.height = 1 << 15; });
  refuses(StatusCode::kUnsupported, "BF16", [](P& p) { p.dtype = DType::kBF16; });
}

TEST(LetterboxPicture, RefusesPicturesAndPlacesThatMakeNoSense) {
  const uint8_t pixel[3] = {};
  const LetterboxPlace whole = {0, 0, 96, 64};
  const auto make = [&](const uint8_t* pixels, int64_t width, int64_t height, int64_t row_bytes,
                        LetterboxPlace place) {
    return letterbox_picture(pixels, width, height, row_bytes, place, input(4, {4, 0})).status();
  };
  const auto refuses = [](const Status& status, const std::string& fragment) {
    testing::expect_refused(status, StatusCode::kInvalidArgument, fragment);
  };
  EXPECT_TRUE(make(pixel, 1, 1, 3, whole).ok());
  refuses(make(nullptr, 1, 1, 3, whole), "memory");
  refuses(make(pixel, 0, 1, 3, whole), "width");
  refuses(make(pixel, 1, (1 << 20) + 1, 3, whole), "height");
  refuses(make(pixel, 2, 1, 5, whole), "row_bytes");
  refuses(make(pixel, 1, 1, 3, {1, 0, 96, 64}), "96x64 at 1,0 is not within 96x64");
  refuses(make(pixel, 1, 1, 3, {0, -1, 96, 64}), "at 0,-1");
  refuses(make(pixel, 1, 1, 3, {0, 0, 0, 64}), "0x64");
}

TEST(LetterboxTile, CoversEveryPixelOfEveryPicture) {
  LetterboxProblem problem = input(4, {4, 0});
  problem.batch = 3;
  problem.width = 33;
  problem.height = 8;
  const LaunchConfig config = letterbox_launch(problem, nullptr);
  EXPECT_EQ(config.grid.x, 2);
  EXPECT_EQ(config.grid.y, 1);
  EXPECT_EQ(config.grid.z, 3);
  EXPECT_EQ(config.block.x * config.block.y, 256);
}

}  // namespace
}  // namespace yolocu
