// Legality and selection of the pools: pure host code.
#include "kernels/pool/pool.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/str_cat.h"
#include "kernels/pixel_tile.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

PoolProblem aligned_problem() {
  return {.height = 20, .width = 16, .channels = 24, .x = {24, 0}, .y = {64, 8}};
}

std::string selected(const PoolProblem& problem) {
  const auto variant = select_pool(problem);
  return variant.ok() ? std::string(variant->name) : variant.status().message();
}

TEST(PoolInventory, NamesDecodeToTheirFields) {
  std::set<std::string_view> names;
  for (const PoolVariant& variant : pool_variants()) {
    const char* kind = variant.kind == PoolKind::kMax ? "max" : "mean";
    const char* dtype = variant.dtype == DType::kF16    ? "f16"
                        : variant.dtype == DType::kBF16 ? "bf16"
                                                        : "f32";
    EXPECT_EQ(variant.name, str_cat("pool_", kind, "_", dtype, "_v", variant.vector_bytes));
    EXPECT_TRUE(names.insert(variant.name).second) << variant.name << " is there twice";
  }
}

TEST(PoolSelection, WidestVectorThatBothViewsAllow) {
  PoolProblem problem = aligned_problem();
  EXPECT_EQ(selected(problem), "pool_max_f16_v16");
  problem.channels = 23;
  EXPECT_EQ(selected(problem), "pool_max_f16_v16") << "the residue goes by elements";
  problem.y.offset = 4;
  EXPECT_EQ(selected(problem), "pool_max_f16_v8");
  problem.x.pixel_stride = 26;
  EXPECT_EQ(selected(problem), "pool_max_f16_v4");
  problem.kind = PoolKind::kMean;
  problem.dtype = DType::kBF16;
  EXPECT_EQ(selected(problem), "pool_mean_bf16_v4");
  problem.alignment_bytes = 2;
  EXPECT_EQ(selected(problem), "pool_mean_bf16_v2");
  problem.dtype = DType::kI8;
  EXPECT_EQ(selected(problem), "pool: no variant for I8");
}

TEST(PoolLegality, RefusesProblemsThatMakeNoSense) {
  using P = PoolProblem;
  const auto refuses = [](StatusCode code, const std::string& fragment, void (*change)(P&)) {
    P problem = aligned_problem();
    change(problem);
    testing::expect_refused(can_implement(pool_variants().front(), problem), code, fragment);
  };
  const auto kInvalid = StatusCode::kInvalidArgument;
  ASSERT_OK(can_implement(pool_variants().front(), aligned_problem()));
  refuses(kInvalid, "batch", [](P& p) { p.batch = 0; });
  refuses(kInvalid, "height", [](P& p) { p.height = 0; });
  refuses(kInvalid, "width", [](P& p) { p.width = int64_t{1} << 40; });
  refuses(kInvalid, "stride", [](P& p) { p.stride = 0; });
  refuses(kInvalid, "padding in 0..1, got 2", [](P& p) { p.padding = 2; });
  refuses(kInvalid, "window in 1..16, got 17", [](P& p) { p.window = 17; });
  refuses(kInvalid, "pool x: channels", [](P& p) { p.channels = 25; });
  refuses(kInvalid, "pool y: channels", [](P& p) { p.y.offset = 41; });
  refuses(kInvalid, "pool x: channels 0..+0", [](P& p) { p.channels = 0; });
  refuses(kInvalid, "alignment", [](P& p) { p.alignment_bytes = 1; });
  refuses(StatusCode::kUnsupported, "pool x: expected fewer", [](P& p) { p.batch = 1 << 20; });
  refuses(StatusCode::kUnsupported, "kind", [](P& p) { p.kind = PoolKind::kMean; });
  refuses(StatusCode::kUnsupported, "F32", [](P& p) { p.dtype = DType::kF32; });
}

TEST(PoolLegality, MeansHaveNoPadding) {
  PoolProblem problem = aligned_problem();
  problem.kind = PoolKind::kMean;
  problem.padding = 1;
  testing::expect_refused(select_pool(problem).status(), StatusCode::kInvalidArgument, "padding");
}

// Shared by all families that map pixels to pixels.
TEST(PixelTile, CoversEveryPixelAndVectorWithLegalBlocks) {
  for (const int64_t pixels : {1, 7, 8, 9, 257, 100000}) {
    for (const int64_t channels : {1, 3, 8, 24, 85, 512, 2000}) {
      for (const int64_t elements : {1, 4, 8}) {
        const LaunchConfig config = pixel_tile(pixels, channels, elements, nullptr);
        EXPECT_EQ(config.block.x * config.block.y, kPixelTileThreads);
        EXPECT_LE(config.block.x, 32);
        EXPECT_GE(config.grid.x * config.block.y, pixels);
        EXPECT_LT((config.grid.x - 1) * config.block.y, pixels);
        const bool covers = config.block.x * elements >= channels;
        EXPECT_TRUE(covers || config.block.x == 32) << channels << " by " << elements;
      }
    }
  }
}

}  // namespace
}  // namespace yolocu
