// Legality and selection of space_to_depth: pure host code.
#include "kernels/space_to_depth/space_to_depth.h"

#include <gtest/gtest.h>

#include "engine/base/str_cat.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

SpaceToDepthProblem aligned_problem() {
  return {.height = 20, .width = 16, .channels = 8, .x = {8, 0}, .y = {40, 8}};
}

std::string selected(const SpaceToDepthProblem& problem) {
  const auto variant = select_space_to_depth(problem);
  return variant.ok() ? std::string(variant->name) : variant.status().message();
}

TEST(SpaceToDepthInventory, NamesDecodeToTheirFields) {
  for (const SpaceToDepthVariant& variant : space_to_depth_variants()) {
    const char* dtype = variant.dtype == DType::kF16    ? "f16"
                        : variant.dtype == DType::kBF16 ? "bf16"
                                                        : "f32";
    EXPECT_EQ(variant.name, str_cat("space_to_depth_", dtype, "_v", variant.vector_bytes));
  }
}

TEST(SpaceToDepthSelection, WidestVectorThatChannelsAndViewsAllow) {
  SpaceToDepthProblem problem = aligned_problem();
  EXPECT_EQ(selected(problem), "space_to_depth_f16_v16");
  problem.channels = 4;
  EXPECT_EQ(selected(problem), "space_to_depth_f16_v8") << "blocks of y begin at multiples of 4";
  problem.channels = 3;
  EXPECT_EQ(selected(problem), "space_to_depth_f16_v2");
  problem = aligned_problem();
  problem.dtype = DType::kF32;
  EXPECT_EQ(selected(problem), "space_to_depth_f32_v16");
  problem.x.pixel_stride = 9;
  EXPECT_EQ(selected(problem), "space_to_depth_f32_v4");
  problem.dtype = DType::kI8;
  EXPECT_EQ(selected(problem), "space_to_depth: no variant for I8");
}

TEST(SpaceToDepthLegality, RefusesProblemsThatMakeNoSense) {
  using P = SpaceToDepthProblem;
  const auto refuses = [](StatusCode code, const std::string& fragment, void (*change)(P&)) {
    P problem = aligned_problem();
    change(problem);
    testing::expect_refused(can_implement(space_to_depth_variants().front(), problem), code,
                            fragment);
  };
  const auto kInvalid = StatusCode::kInvalidArgument;
  ASSERT_OK(can_implement(space_to_depth_variants().front(), aligned_problem()));
  refuses(kInvalid, "batch", [](P& p) { p.batch = -1; });
  refuses(kInvalid, "expected an even height and width, got 21x16", [](P& p) { p.height = 21; });
  refuses(kInvalid, "got 20x15", [](P& p) { p.width = 15; });
  refuses(kInvalid, "channels", [](P& p) { p.channels = 0; });
  refuses(kInvalid, "x: channels", [](P& p) { p.x.offset = 1; });
  refuses(kInvalid, "y: channels", [](P& p) { p.y.offset = 9; });
  refuses(kInvalid, "alignment", [](P& p) { p.alignment_bytes = 24; });
  refuses(StatusCode::kUnsupported, "x: expected fewer than 2^31", [](P& p) { p.batch = 1 << 20; });
  refuses(StatusCode::kUnsupported, "BF16", [](P& p) { p.dtype = DType::kBF16; });
}

}  // namespace
}  // namespace yolocu
