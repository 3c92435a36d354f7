// Non-maximum suppression: each clause of its rule by hand, then all of the reference data.
#include "engine/postprocess/nms.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/engine/golden.h"

namespace yolocu {
namespace {

using testing::golden_cases;
using testing::HeadFormat;
using testing::load_array;
using testing::load_json;
using testing::load_predictions;
using testing::Predictions;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

// Rows [cx cy w h, ...] one after another.
using Rows = std::vector<std::vector<float>>;

std::vector<Detection> suppress(const Rows& rows, const NmsOptions& options) {
  std::vector<float> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return non_max_suppression(flat, static_cast<int64_t>(rows[0].size()), options);
}

std::vector<float> scores(const std::vector<Detection>& detections) {
  std::vector<float> result;
  for (const Detection& d : detections) result.push_back(d.score);
  return result;
}

std::vector<int64_t> classes(const std::vector<Detection>& detections) {
  std::vector<int64_t> result;
  for (const Detection& d : detections) result.push_back(d.class_id);
  return result;
}

TEST(Nms, CentreAndSizeBecomeCorners) {
  const auto found = suppress({{10, 20, 6, 8, 0.9f}}, {});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].x1, 7);
  EXPECT_EQ(found[0].y1, 16);
  EXPECT_EQ(found[0].x2, 13);
  EXPECT_EQ(found[0].y2, 24);
  EXPECT_EQ(found[0].score, 0.9f);
  EXPECT_EQ(found[0].class_id, 0);
}

TEST(Nms, NoPredictionsGiveNoDetections) {
  EXPECT_TRUE(non_max_suppression({}, 7, {}).empty());
}

TEST(Nms, ConfidenceIsStrict) {
  const Rows rows = {{10, 10, 4, 4, 0.25f}, {50, 10, 4, 4, std::nextafter(0.25f, 1.0f)}};
  EXPECT_EQ(suppress(rows, {}).size(), 1u);
}

// Boxes 0..10 and 5..15 of equal height: IoU = 5 / 15.
TEST(Nms, OverlapThresholdIsStrictAndInDouble) {
  const Rows rows = {{5, 5, 10, 10, 0.9f}, {10, 5, 10, 10, 0.8f}};
  const float third = 5.0f / 15.0f;
  EXPECT_EQ(suppress(rows, {.iou = double{third}}).size(), 2u);
  EXPECT_EQ(suppress(rows, {.iou = std::nextafter(double{third}, 0.0)}).size(), 1u);
  EXPECT_EQ(suppress(rows, {.iou = std::nextafter(double{third}, 1.0)}).size(), 2u);
}

TEST(Nms, OnlyKeptBoxesSuppress) {
  // The second box falls to the first; the third overlaps the second alone.
  const Rows rows = {{5, 5, 10, 10, 0.9f}, {9, 5, 10, 10, 0.8f}, {13, 5, 10, 10, 0.7f}};
  EXPECT_EQ(scores(suppress(rows, {.iou = 0.3})), (std::vector<float>{0.9f, 0.7f}));
}

TEST(Nms, ClassesSuppressSeparatelyUnlessAgnostic) {
  const Rows rows = {{5, 5, 10, 10, 0.9f, 0}, {5, 5, 10, 10, 0, 0.8f}};
  EXPECT_EQ(classes(suppress(rows, {})), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(classes(suppress(rows, {.scope = SuppressionScope::kAgnostic})),
            (std::vector<int64_t>{0}));
}

// The class offset is a trick, and wide boxes reach into the next class. YOLOv7's is smaller.
TEST(Nms, BoxesWiderThanTheClassOffsetMeetTheNextClass) {
  const Rows v9 = {{7680, 7680, 10000, 10000, 0.9f, 0}, {0, 0, 10000, 10000, 0, 0.8f}};
  EXPECT_EQ(suppress(v9, {}).size(), 1u);
  const Rows v7 = {{4096, 4096, 10000, 10000, 1, 0.9f, 0}, {0, 0, 10000, 10000, 1, 0, 0.8f}};
  EXPECT_EQ(suppress(v7, {.layout = ScoreLayout::kObjectnessAndClasses}).size(), 1u);
}

TEST(Nms, EqualScoresKeepTheirOrder) {
  const Rows rows = {{5, 5, 4, 4, 0.5f}, {25, 5, 4, 4, 0.9f}, {45, 5, 4, 4, 0.5f}};
  const auto found = suppress(rows, {});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].x1, 23);
  EXPECT_EQ(found[1].x1, 3);
  EXPECT_EQ(found[2].x1, 43);
}

TEST(Nms, TheFirstOfEqualClassesWins) {
  EXPECT_EQ(classes(suppress({{5, 5, 4, 4, 0.1f, 0.7f, 0.7f}}, {})), (std::vector<int64_t>{1}));
}

TEST(Nms, MultiLabelTakesEveryClassAboveTheThreshold) {
  const Rows rows = {{5, 5, 4, 4, 0.5f, 0.1f, 0.7f}};
  EXPECT_EQ(classes(suppress(rows, {.labels = LabelMode::kMultiLabel})),
            (std::vector<int64_t>{2, 0}));
}

TEST(Nms, ClassFilterAppliesAfterTheBestClassIsChosen) {
  const Rows rows = {{5, 5, 4, 4, 0.9f, 0.8f}, {25, 5, 4, 4, 0.3f, 0.8f}};
  EXPECT_EQ(scores(suppress(rows, {.classes = {1}})), (std::vector<float>{0.8f}));
  EXPECT_TRUE(suppress(rows, {.classes = {5}}).empty());
}

TEST(Nms, ObjectnessIsAThresholdAndAFactor) {
  const NmsOptions v7 = {.layout = ScoreLayout::kObjectnessAndClasses};
  EXPECT_EQ(scores(suppress({{5, 5, 4, 4, 0.5f, 0.75f, 0}}, v7)), (std::vector<float>{0.375f}));
  EXPECT_TRUE(suppress({{5, 5, 4, 4, 0.25f, 100, 0}}, v7).empty());
  EXPECT_TRUE(suppress({{5, 5, 4, 4, 0.5f, 0.5f, 0.5f}}, v7).empty());
  // With one class its column is ignored.
  EXPECT_EQ(scores(suppress({{5, 5, 4, 4, 0.5f, 0.1f}}, v7)), (std::vector<float>{0.5f}));
}

TEST(Nms, LimitsCandidatesAndDetections) {
  Rows rows;
  for (int i = 0; i < 10; ++i) {
    rows.push_back({static_cast<float>(20 * i), 5, 4, 4, 0.3f + 0.01f * static_cast<float>(i)});
  }
  EXPECT_EQ(suppress(rows, {.max_detections = 3}).size(), 3u);
  const auto best = suppress(rows, {.max_candidates = 4});
  ASSERT_EQ(best.size(), 4u);
  EXPECT_EQ(best.back().x1, 118);
}

TEST(Nms, NanScoresAreNoCandidates) {
  const Rows rows = {
      {5, 5, 4, 4, kNan, 0.9f}, {25, 5, 4, 4, 0.8f, kNan}, {45, 5, 4, 4, 0.1f, 0.7f}};
  EXPECT_EQ(scores(suppress(rows, {})), (std::vector<float>{0.7f}));
  EXPECT_EQ(scores(suppress(rows, {.labels = LabelMode::kMultiLabel})), (std::vector<float>{0.7f}));
}

TEST(Nms, InfiniteAndNanBoxesAreDeterministic) {
  const Rows rows = {{kInf, 5, 4, 4, 0.9f}, {kNan, 5, 4, 4, 0.8f}, {5, 5, kInf, kInf, 0.7f},
                     {5, 5, 4, 4, 0.6f},    {5, 5, 0, 0, 0.5f},    {5, 5, -4, -4, 0.4f}};
  const auto once = suppress(rows, {});
  EXPECT_EQ(scores(once), scores(suppress(rows, {})));
  EXPECT_FALSE(once.empty());
}

// The textbook algorithm in its plainest form, on a hundred random pictures.
std::vector<float> plain_nms(const Rows& rows, double threshold) {
  std::vector<size_t> order;
  for (size_t i = 0; i < rows.size(); ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rows[a][4] > rows[b][4]; });
  std::vector<float> kept;
  std::vector<bool> dropped(rows.size(), false);
  for (size_t i = 0; i < order.size(); ++i) {
    const auto& a = rows[order[i]];
    if (dropped[i] || !(a[4] > 0.25f)) continue;
    kept.push_back(a[4]);
    for (size_t j = i + 1; j < order.size(); ++j) {
      const auto& b = rows[order[j]];
      const double w =
          std::min(a[0] + a[2] / 2, b[0] + b[2] / 2) - std::max(a[0] - a[2] / 2, b[0] - b[2] / 2);
      const double h =
          std::min(a[1] + a[3] / 2, b[1] + b[3] / 2) - std::max(a[1] - a[3] / 2, b[1] - b[3] / 2);
      const double shared = std::max(w, 0.0) * std::max(h, 0.0);
      if (shared / (double{a[2]} * a[3] + double{b[2]} * b[3] - shared) > threshold) {
        dropped[j] = true;
      }
    }
  }
  return kept;
}

// Small whole numbers, so that both sides compute exactly, with many ties and overlaps.
TEST(Nms, EqualsThePlainAlgorithm) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    const auto pick = [&](int low, int high) {
      return static_cast<float>(std::uniform_int_distribution<int>(low, high)(random));
    };
    Rows rows(200);
    for (auto& row : rows) {
      row = {pick(0, 40), pick(0, 40), 2 * pick(1, 10), 2 * pick(1, 10), pick(0, 64) / 64};
    }
    ASSERT_EQ(scores(suppress(rows, {.iou = 0.41})), plain_nms(rows, 0.41)) << "seed " << seed;
  }
}

NmsOptions options_of(const nlohmann::json& settings, HeadFormat format) {
  NmsOptions options;
  options.layout =
      format == HeadFormat::kV9 ? ScoreLayout::kClasses : ScoreLayout::kObjectnessAndClasses;
  options.labels = settings["multi_label"] ? LabelMode::kMultiLabel : LabelMode::kBestClass;
  options.scope = settings["agnostic"] ? SuppressionScope::kAgnostic : SuppressionScope::kPerClass;
  options.confidence = settings["conf_thres"];
  options.iou = settings["iou_thres"];
  options.max_detections = settings["max_det"];
  if (!settings["classes"].is_null()) {
    options.classes = settings["classes"].get<std::vector<int64_t>>();
  }
  return options;
}

bool same(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

// expected [n, 7]: picture, x1 y1 x2 y2, score, class, in order.
void expect_detections(const Predictions& predictions, const NmsOptions& options,
                       const NpyArray& expected) {
  std::vector<float> found;
  for (int64_t image = 0; image < predictions.batch; ++image) {
    for (const Detection& d :
         non_max_suppression(predictions.image(image), predictions.row, options)) {
      found.insert(found.end(), {static_cast<float>(image), d.x1, d.y1, d.x2, d.y2, d.score,
                                 static_cast<float>(d.class_id)});
    }
  }
  ASSERT_EQ(found.size(), expected.values.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_PRED2(same, found[i], expected.values[i]) << "row " << i / 7 << ", column " << i % 7;
  }
}

TEST(Nms, EqualsTheOfficialCode) {
  YOLOCU_REQUIRE_SHARED("golden/d/nms/nms.json");
  const auto golden = load_json("d/nms/nms.json");
  ASSERT_GE(golden.size(), 58u);
  for (const auto& test : golden) {
    const HeadFormat format = test["format"] == "v9" ? HeadFormat::kV9 : HeadFormat::kV7;
    // Where the official sort is unstable, the result of the stable rule is given beside it.
    const std::string file =
        test.contains("expected_stable") ? test["expected_stable"] : test["expected"];
    SCOPED_TRACE(file);
    expect_detections(load_predictions("d/nms/" + test["pred"].get<std::string>(), format),
                      options_of(test["settings"], format), load_array("d/nms/" + file));
  }
}

TEST(Nms, EqualsTheDetectionsOfEveryNetwork) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  int networks = 0;
  for (const HeadFormat format : {HeadFormat::kV9, HeadFormat::kV7}) {
    for (const std::string& name : golden_cases(format == HeadFormat::kV9 ? "v9_" : "v7_")) {
      const auto files = load_json("a/" + name + "/case.json")["files"];
      const Predictions predictions = load_predictions("a/" + name + "/pred.npy", format);
      for (const std::string kind : {"det_c25_i45", "det_c001_i65"}) {
        SCOPED_TRACE(name + "/" + kind);
        expect_detections(predictions, options_of(files[kind]["settings"], format),
                          load_array("a/" + name + "/" + kind + ".npy"));
      }
      ++networks;
    }
  }
  EXPECT_GE(networks, 26);
}

}  // namespace
}  // namespace yolocu
