// Legality, selection, launches and threshold of decode: pure host code.
#include "kernels/decode/decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "kernels/decode/tile.h"
#include "tests/kernels/decode_cases.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

DecodeProblem problem_of(DecodeHead head) {
  return testing::decode_problem({"", head, DType::kF16}, 2, 80, 16,
                                 {{80, 80}, {40, 40}, {20, 20}});
}

TEST(DecodeInventory, NamesDecodeToTheirFields) {
  std::set<std::string_view> names;
  for (const DecodeVariant& variant : decode_variants()) {
    const std::string head = variant.head == DecodeHead::kDfl ? "dfl" : "anchor";
    const std::string dtype = variant.dtype == DType::kF16    ? "f16"
                              : variant.dtype == DType::kBF16 ? "bf16"
                                                              : "f32";
    EXPECT_EQ(variant.name, "decode_" + head + "_warp_" + dtype);
    EXPECT_TRUE(names.insert(variant.name).second) << variant.name << " is there twice";
  }
  EXPECT_EQ(names.size(), 6u);
}

TEST(DecodeProblemCounts, AnchorsAndRows) {
  DecodeProblem dfl = problem_of(DecodeHead::kDfl), anchor = problem_of(DecodeHead::kAnchor);
  EXPECT_EQ(dfl.anchors(), 8400);
  EXPECT_EQ(dfl.row(), 84);
  EXPECT_EQ(anchor.anchors(), 3 * 6400 + 2 * 1600 + 3 * 400);
  EXPECT_EQ(anchor.row(), 85);
  anchor.objectness = ObjectnessForm::kMultiplied;
  EXPECT_EQ(anchor.row(), 84);
}

TEST(DecodeSelection, ByHeadAndType) {
  DecodeProblem problem = problem_of(DecodeHead::kAnchor);
  ASSERT_OK(select_decode(problem));
  EXPECT_EQ(select_decode(problem)->name, "decode_anchor_warp_f16");
  problem.dtype = DType::kI8;
  testing::expect_refused(select_decode(problem).status(), StatusCode::kUnsupported, "I8");
}

TEST(DecodeLegality, RefusesProblemsThatMakeNoSense) {
  const auto with = [](DecodeHead head, auto change) {
    DecodeProblem problem = problem_of(head);
    change(problem);
    return select_decode(problem).status().code();
  };
  using P = DecodeProblem;
  const auto kDfl = DecodeHead::kDfl, kAnchor = DecodeHead::kAnchor;
  constexpr auto kWrong = StatusCode::kInvalidArgument;
  EXPECT_EQ(with(kDfl, [](P&) {}), StatusCode::kOk);
  EXPECT_EQ(with(kAnchor, [](P&) {}), StatusCode::kOk);
  EXPECT_EQ(with(kDfl, [](P& p) { p.batch = 0; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.classes = 0; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.bins = 0; }), kWrong);
  EXPECT_EQ(with(kAnchor, [](P& p) { p.bins = 0; }), StatusCode::kOk);
  EXPECT_EQ(with(kDfl, [](P& p) { p.level_count = 0; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.level_count = 5; }), StatusCode::kUnsupported);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[1].height = 0; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[2].stride = 0; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[2].stride = NAN; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[0].box_pixel_stride = 63; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[0].box_offset = 1; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[0].class_offset = -1; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[0].class_pixel_stride = 79; }), kWrong);
  EXPECT_EQ(with(kAnchor, [](P& p) { p.levels[0].box_pixel_stride = 254; }), kWrong);
  EXPECT_EQ(with(kAnchor, [](P& p) { p.levels[0].anchors = 0; }), kWrong);
  EXPECT_EQ(with(kAnchor, [](P& p) { p.levels[0].anchors = 17; }), StatusCode::kUnsupported);
  EXPECT_EQ(with(kAnchor, [](P& p) { p.levels[0].sizes[5] = 0; }), kWrong);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[0].width = INT32_MAX; }), StatusCode::kUnsupported);
  EXPECT_EQ(with(kDfl, [](P& p) { p.levels[0].width = INT64_MAX; }), StatusCode::kUnsupported);
}

TEST(DecodeRule, RefusesWhatMakesNoSense) {
  EXPECT_TRUE(check_rule({.confidence = 0, .capacity = 1}).ok());
  EXPECT_TRUE(check_rule({.confidence = 1, .capacity = 1}).ok());
  for (const CandidateRule& rule :
       {CandidateRule{.confidence = -0.1f, .capacity = 1},
        CandidateRule{.confidence = 1.1f, .capacity = 1},
        CandidateRule{.confidence = NAN, .capacity = 1}, CandidateRule{}}) {
    EXPECT_EQ(check_rule(rule).code(), StatusCode::kInvalidArgument);
  }
}

TEST(DecodeLaunch, AWarpForEachAnchor) {
  const LaunchConfig config = decode_launch(problem_of(DecodeHead::kDfl));
  EXPECT_EQ(config.grid.x * config.block.x, 2 * 8400 * 32);
}

// No logit whose sigmoid passes lies below, and few others lie above.
TEST(DecodeThreshold, IsBelowEveryLogitThatPasses) {
  for (const float confidence : {1e-6f, 0.001f, 0.25f, 0.5f, 0.9f, 0.9999f, 0.9999999f, 1.0f}) {
    const float least = least_logit(confidence);
    for (float logit = -20; logit < 20; logit += 0.001f) {
      const float score = 1.0f / (1.0f + std::exp(-logit));
      ASSERT_TRUE(logit > least || !(score > confidence)) << confidence << " " << logit;
    }
    if (confidence < 0.99f) {
      EXPECT_LT(1.0f / (1.0f + std::exp(-least - 0.01f)), confidence * 1.02f);
      EXPECT_GT(1.0f / (1.0f + std::exp(-least)), confidence * 0.98f);
    }
  }
  EXPECT_EQ(least_logit(0), -std::numeric_limits<float>::infinity());
}

}  // namespace
}  // namespace yolocu
