// Legality, selection and tiles of channel_copy: pure host code.
#include "kernels/copy/channel_copy.h"

#include <gtest/gtest.h>

#include <set>

#include "kernels/copy/tile.h"
#include "tests/reference/channel_copy.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

// 16 f16 channels between buffers in which every vector is legal.
ChannelCopyProblem aligned_problem() {
  return {.dtype = DType::kF16,
          .pixels = 6,
          .channels = 16,
          .dst_pixel_stride = 32,
          .dst_offset = 8,
          .src_pixel_stride = 16,
          .src_offset = 0};
}

ChannelCopyVariant variant_named(std::string_view name) {
  for (const ChannelCopyVariant& variant : channel_copy_variants()) {
    if (variant.name == name) return variant;
  }
  ADD_FAILURE() << "no variant is called " << name;
  return channel_copy_variants().front();
}

std::string_view selected(const ChannelCopyProblem& problem) {
  const auto variant = select_channel_copy(problem);
  return variant.ok() ? variant->name : "";
}

StatusCode refusal(const ChannelCopyProblem& problem) {
  return can_implement(channel_copy_variants().front(), problem).code();
}

TEST(ChannelCopyInventory, NamesDecodeToTheirFields) {
  std::set<std::string_view> names;
  for (const ChannelCopyVariant& variant : channel_copy_variants()) {
    const bool naive = variant.algorithm == ChannelCopyAlgorithm::kNaive;
    const std::string expected = std::string("channel_copy_") + (naive ? "naive" : "vector") +
                                 (variant.dtype == DType::kF16 ? "_f16_v" : "_f32_v") +
                                 std::to_string(variant.vector_bytes);
    EXPECT_EQ(variant.name, expected);
    EXPECT_TRUE(names.insert(variant.name).second) << variant.name << " is there twice";
  }
}

TEST(ChannelCopySelection, WidestVectorThatEveryOffsetAndStrideAllows) {
  ChannelCopyProblem problem = aligned_problem();
  EXPECT_EQ(selected(problem), "channel_copy_vector_f16_v16");
  problem.dst_offset = 4;
  EXPECT_EQ(selected(problem), "channel_copy_vector_f16_v8");
  problem.src_pixel_stride = 18;
  EXPECT_EQ(selected(problem), "channel_copy_vector_f16_v4");
  problem.src_offset = 1;
  EXPECT_EQ(selected(problem), "channel_copy_naive_f16_v2");
  problem.dtype = DType::kF32;
  problem.src_offset = 2;
  EXPECT_EQ(selected(problem), "channel_copy_vector_f32_v8");
}

TEST(ChannelCopySelection, ResidueChannelsDoNotForbidVectors) {
  ChannelCopyProblem problem = aligned_problem();
  problem.channels = 13;
  EXPECT_EQ(selected(problem), "channel_copy_vector_f16_v16");
}

TEST(ChannelCopySelection, AlignmentOfTheBasesLimitsVectors) {
  ChannelCopyProblem problem = aligned_problem();
  problem.alignment_bytes = 4;
  EXPECT_EQ(selected(problem), "channel_copy_vector_f16_v4");
  problem.alignment_bytes = 2;
  EXPECT_EQ(selected(problem), "channel_copy_naive_f16_v2");
}

TEST(ChannelCopySelection, RefusesOtherTypesByName) {
  ChannelCopyProblem problem = aligned_problem();
  problem.dtype = DType::kI8;
  const Status status = select_channel_copy(problem).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("I8"), std::string::npos) << status.message();
}

TEST(ChannelCopyLegality, VariantOfAnotherTypeIsUnsupported) {
  const Status status =
      can_implement(variant_named("channel_copy_naive_f32_v4"), aligned_problem());
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
}

TEST(ChannelCopyLegality, RefusesProblemsThatMakeNoSense) {
  const auto with = [](auto change) {
    ChannelCopyProblem problem = aligned_problem();
    change(problem);
    return refusal(problem);
  };
  using P = ChannelCopyProblem;
  EXPECT_EQ(with([](P&) {}), StatusCode::kOk);
  EXPECT_EQ(with([](P& p) { p.pixels = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.channels = -1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.dst_offset = 17; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.dst_offset = -1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.src_offset = INT64_MAX; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.src_pixel_stride = 15; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.pixels = INT64_MAX / 16; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.alignment_bytes = 12; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.alignment_bytes = 1; }), StatusCode::kInvalidArgument);
}

TEST(ChannelCopyTile, CoversEveryProblemWithLegalBlocks) {
  for (const ChannelCopyVariant& variant : channel_copy_variants()) {
    for (const ChannelCopyProblem& problem : testing::channel_copy_problems(variant.dtype)) {
      if (!can_implement(variant, problem).ok()) continue;
      const ChannelCopyTile tile = choose_tile(variant, problem);
      EXPECT_EQ(tile.lanes * tile.pixels, kChannelCopyThreads);
      EXPECT_LE(tile.lanes, 32);
      const bool naive = variant.algorithm == ChannelCopyAlgorithm::kNaive;
      const int64_t work = naive ? problem.pixels * problem.channels : problem.pixels;
      EXPECT_GE(tile.blocks * tile.pixels, work) << testing::describe(problem);
      EXPECT_LT((tile.blocks - 1) * tile.pixels, work) << testing::describe(problem);
    }
  }
}

TEST(ChannelCopyTile, HugeProblemsStayWithinTheGrid) {
  ChannelCopyProblem problem = aligned_problem();
  problem.pixels = int64_t{1} << 50;
  const ChannelCopyTile tile = choose_tile(variant_named("channel_copy_naive_f16_v2"), problem);
  EXPECT_EQ(tile.blocks, INT32_MAX);
}

}  // namespace
}  // namespace yolocu
