// Legality, selection, scratch memory and keys of nms: pure host code.
#include "kernels/nms/nms.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <set>

#include "kernels/nms/tile.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

const NmsVariant& variant_of(NmsAlgorithm algorithm) {
  for (const NmsVariant& variant : nms_variants()) {
    if (variant.algorithm == algorithm) return variant;
  }
  ADD_FAILURE() << "no such variant";
  return nms_variants().front();
}

const NmsProblem kUsual = {.batch = 2, .capacity = 8400, .classes = 80};

TEST(NmsInventory, BeginsWithTheNaiveVariantAndRepeatsNoName) {
  EXPECT_EQ(nms_variants().front().algorithm, NmsAlgorithm::kNaive);
  std::set<std::string_view> names;
  for (const NmsVariant& variant : nms_variants()) {
    EXPECT_TRUE(names.insert(variant.name).second) << variant.name << " is there twice";
  }
}

TEST(NmsSelection, SortsWhateverTheProblem) {
  ASSERT_OK(select_nms(kUsual));
  EXPECT_EQ(select_nms(kUsual)->algorithm, NmsAlgorithm::kSorted);
  EXPECT_EQ(select_nms({}).status().code(), StatusCode::kInvalidArgument);
}

TEST(NmsLegality, TheNaiveOneCannotCutCandidates) {
  NmsProblem problem = kUsual;
  problem.max_candidates = 8399;
  EXPECT_EQ(can_implement(variant_of(NmsAlgorithm::kNaive), problem).code(),
            StatusCode::kUnsupported);
  EXPECT_TRUE(can_implement(variant_of(NmsAlgorithm::kSorted), problem).ok());
  problem.max_candidates = 8400;
  EXPECT_TRUE(can_implement(variant_of(NmsAlgorithm::kNaive), problem).ok());
}

TEST(NmsLegality, RefusesProblemsThatMakeNoSense) {
  const auto with = [](auto change) {
    NmsProblem problem = kUsual;
    change(problem);
    return can_implement(variant_of(NmsAlgorithm::kSorted), problem).code();
  };
  using P = NmsProblem;
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(with([](P&) {}), StatusCode::kOk);
  EXPECT_EQ(with([](P& p) { p.batch = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.capacity = -1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.classes = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.max_candidates = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.max_detections = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.iou = -0.1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.iou = 1.1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.iou = double{kNan}; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.class_offset = kNan; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.class_offset = -1; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(with([](P& p) { p.batch = 65536; }), StatusCode::kUnsupported);
  EXPECT_EQ(with([](P& p) { p.capacity = INT64_MAX; }), StatusCode::kUnsupported);
  EXPECT_EQ(with([](P& p) { p.max_detections = INT64_MAX; }), StatusCode::kUnsupported);
}

TEST(NmsWorkspaceLayout, PartsAreAlignedAndApart) {
  for (const int64_t capacity : {1, 33, 8400}) {
    NmsProblem problem = kUsual;
    problem.capacity = capacity;
    const NmsWorkspace at = nms_workspace(variant_of(NmsAlgorithm::kSorted), problem);
    const int64_t candidates = 2 * capacity;
    EXPECT_GE(at.slots, at.keys + 8 * candidates);
    EXPECT_GE(at.order, at.slots + 4 * candidates);
    EXPECT_GE(at.kept, at.order + 4 * candidates);
    EXPECT_GE(at.bytes, at.kept + 2 * 300 * 16);
    for (const int64_t part : {at.keys, at.slots, at.order, at.kept}) EXPECT_EQ(part % 256, 0);
  }
  EXPECT_EQ(nms_workspace_bytes(variant_of(NmsAlgorithm::kNaive), kUsual), 2 * 8400 * 8);
}

TEST(NmsTile, TilesCoverTheList) {
  EXPECT_EQ(nms_tiles({.capacity = 1}), 1);
  EXPECT_EQ(nms_tiles({.capacity = 1024}), 1);
  EXPECT_EQ(nms_tiles({.capacity = 1025}), 2);
}

TEST(NmsThreshold, DecidesAsTheDoubleDoes) {
  for (const double iou : {0.0, 0.45, 0.65, 0.7, 1.0 / 3, 1.0}) {
    const float threshold = nms_threshold(iou);
    float overlap = std::nextafter(static_cast<float>(iou), -1.0f);
    for (int i = 0; i < 3; ++i, overlap = std::nextafter(overlap, 2.0f)) {
      EXPECT_EQ(overlap > threshold, double{overlap} > iou) << iou << ", " << overlap;
    }
  }
}

TEST(CandidateKey, OrdersByScoreThenIndex) {
  const auto key = [](float score, uint32_t index) {
    return candidate_key(std::bit_cast<uint32_t>(score), index);
  };
  EXPECT_LT(key(0.9f, 7), key(0.8f, 3));
  EXPECT_LT(key(0.5f, 3), key(0.5f, 7));
  EXPECT_LT(key(std::numeric_limits<float>::infinity(), UINT32_MAX), key(1.0f, 0));
  EXPECT_LT(key(std::numeric_limits<float>::denorm_min(), UINT32_MAX), kNoCandidate);
  EXPECT_EQ(candidate_index(key(0.3f, 123456789)), 123456789u);
  EXPECT_EQ(std::bit_cast<float>(candidate_score_bits(key(0.3f, 5))), 0.3f);
}

}  // namespace
}  // namespace yolocu
