// Checkpoints of every dialect, converted and run on every device, against the PyTorch code they
// come from.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/postprocess/nms.h"
#include "tests/import/run_model.h"
#include "tests/support/golden_case.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using testing::GoldenCase;
using testing::Tolerance;

// Converts, plans and runs; nothing if a step failed (which fails the test).
std::unique_ptr<Executor> run(const GoldenCase& golden) {
  const auto x = read_npy(golden.input);
  auto converted = convert_checkpoint(golden.checkpoint, {.weight_dtype = DType::kF32});
  if (!x.ok() || !converted.ok()) {
    ADD_FAILURE() << x.status().message() << converted.status().message();
    return nullptr;
  }
  return testing::run_model(std::move(converted->model), golden.device, *x);
}

class Golden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(Golden, PredictionsAgreeWithPyTorch) {
  const std::unique_ptr<Executor> executor = run(GetParam());
  ASSERT_NE(executor, nullptr);
  testing::expect_golden_predictions(GetParam(), executor->output(),
                                     {executor->batch(), executor->anchors(), executor->row()});
}

// Every expected row (image, x1, y1, x2, y2, score, class) has its own counterpart.
void expect_same_detections(const std::vector<Detection>& actual, const NpyArray& expected,
                            int64_t image, const Tolerance& tolerance) {
  std::set<size_t> used;
  size_t rows = 0;
  for (int64_t r = 0; r < expected.shape[0]; ++r) {
    const float* row = &expected.values[static_cast<size_t>(r * 7)];
    if (static_cast<int64_t>(row[0]) != image) continue;
    ++rows;
    // A corner is a centre and half a size: both may be off.
    const double box = 1.5 * tolerance.box_at(row[3] - row[1], row[4] - row[2]);
    bool found = false;
    for (size_t i = 0; i < actual.size() && !found; ++i) {
      const Detection& d = actual[i];
      found = !used.contains(i) && d.class_id == static_cast<int64_t>(row[6]) &&
              std::abs(d.score - row[5]) <= tolerance.score && std::abs(d.x1 - row[1]) <= box &&
              std::abs(d.y1 - row[2]) <= box && std::abs(d.x2 - row[3]) <= box &&
              std::abs(d.y2 - row[4]) <= box;
      if (found) used.insert(i);
    }
    EXPECT_TRUE(found) << "picture " << image << ": no detection like row " << r << " (class "
                       << row[6] << ", score " << row[5] << ")";
  }
  EXPECT_EQ(actual.size(), rows) << "picture " << image;
}

NmsOptions nms_options(const GoldenCase& golden) {
  using testing::GoldenLayout;
  NmsOptions options{.confidence = 0.25f, .iou = 0.45};
  if (testing::has_objectness(golden.layout)) options.layout = ScoreLayout::kObjectnessAndClasses;
  const bool mit =
      golden.layout == GoldenLayout::kCorners || golden.layout == GoldenLayout::kCornersObjectness;
  if (mit) options.labels = LabelMode::kMultiLabel;  // this project always keeps every class
  return options;
}

std::vector<Detection> detections_of(const GoldenCase& golden, std::span<const float> predictions,
                                     int64_t row) {
  return non_max_suppression(predictions, row, nms_options(golden));
}

// Whether detections stay the same when the reference predictions of one picture are off by 2e-6,
// as rounding is. Saturated scores of random networks are in an order that says nothing.
bool survives_noise(const GoldenCase& golden, const NpyArray& rows, uint64_t seed) {
  const int64_t row = rows.shape[2];
  std::vector<float> noisy = testing::random_floats(rows.values.size(), seed);
  for (size_t i = 0; i < noisy.size(); ++i) {
    noisy[i] = rows.values[i] * (1.0f + 2e-6f * noisy[i]);
  }
  const auto clean = detections_of(golden, rows.values, row);
  const auto moved = detections_of(golden, noisy, row);
  const auto is_near = [&](const Detection& a) {
    return std::ranges::any_of(moved, [&](const Detection& b) {
      return a.class_id == b.class_id && std::abs(a.x1 - b.x1) + std::abs(a.y1 - b.y1) < 0.01f &&
             std::abs(a.x2 - b.x2) + std::abs(a.y2 - b.y2) < 0.01f;
    });
  };
  return clean.size() == moved.size() && std::ranges::all_of(clean, is_near);
}

bool has_robust_detections(const GoldenCase& golden, int64_t row) {
  if (const auto measured = testing::measured_robustness(golden)) return *measured == 1.0;
  const NpyArray rows = testing::golden_rows(golden, row);
  EXPECT_EQ(rows.shape[0], 1);
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    if (!survives_noise(golden, rows, seed)) return false;
  }
  return true;
}

TEST_P(Golden, DetectionsAreTheSameSet) {
  if (GetParam().detections.empty()) GTEST_SKIP() << "no detections of this file are known";
  const auto expected = read_npy(GetParam().detections);
  ASSERT_OK(expected);
  const std::unique_ptr<Executor> executor = run(GetParam());
  ASSERT_NE(executor, nullptr);
  if (!has_robust_detections(GetParam(), executor->row())) {
    GTEST_SKIP() << "rounding noise alone changes this case's detections";
  }
  const auto per_image = static_cast<size_t>(executor->anchors() * executor->row());
  for (int64_t b = 0; b < executor->batch(); ++b) {
    const auto predictions =
        executor->output().subspan(static_cast<size_t>(b) * per_image, per_image);
    expect_same_detections(detections_of(GetParam(), predictions, executor->row()), *expected, b,
                           testing::tolerance_of(GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(Official, Golden, ::testing::ValuesIn(testing::golden_cases()),
                         [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(StateDict, Golden, ::testing::ValuesIn(testing::state_dict_cases()),
                         [](const auto& test) { return test.param.name; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Golden);

TEST(GoldenCases, NoneIsMissing) {
  const auto count = [](const std::vector<GoldenCase>& cases, std::string GoldenCase::*field) {
    std::set<std::string> different;
    for (const GoldenCase& golden : cases) different.insert(golden.*field);
    return different.size();
  };
  const bool all = testing::file_exists(testing::shared_dir() + "/golden/index.json");
  EXPECT_EQ(count(testing::golden_cases(), &GoldenCase::folder), all ? 33u : 2u);
  EXPECT_EQ(count(testing::state_dict_cases(), &GoldenCase::folder), all ? 6u : 0u);
  EXPECT_EQ(count(testing::state_dict_cases(), &GoldenCase::checkpoint), all ? 12u : 0u);
}

}  // namespace
}  // namespace yolocu
