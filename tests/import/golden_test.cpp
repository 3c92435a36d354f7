// Checkpoints of every dialect that pickles its model, converted and run on every device, against
// the PyTorch code they come from.
#include <gtest/gtest.h>

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
  auto converted = convert_checkpoint(golden.folder + "/ckpt.pt", {.weight_dtype = DType::kF32});
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

ScoreLayout score_layout(const GoldenCase& golden) {
  return golden.layout == testing::GoldenLayout::kAnchorsFirst ? ScoreLayout::kObjectnessAndClasses
                                                               : ScoreLayout::kClasses;
}

TEST_P(Golden, DetectionsAreTheSameSet) {
  if (!testing::has_robust_detections(GetParam())) {
    GTEST_SKIP() << "rounding noise alone changes this case's detections";
  }
  const auto expected = read_npy(GetParam().folder + "/det_c25_i45.npy");
  ASSERT_OK(expected);
  const std::unique_ptr<Executor> executor = run(GetParam());
  ASSERT_NE(executor, nullptr);
  const auto per_image = static_cast<size_t>(executor->anchors() * executor->row());
  for (int64_t b = 0; b < executor->batch(); ++b) {
    const auto predictions =
        executor->output().subspan(static_cast<size_t>(b) * per_image, per_image);
    const auto found =
        non_max_suppression(predictions, executor->row(),
                            {.layout = score_layout(GetParam()), .confidence = 0.25f, .iou = 0.45});
    expect_same_detections(found, *expected, b, testing::tolerance_of(GetParam()));
  }
}

INSTANTIATE_TEST_SUITE_P(Official, Golden, ::testing::ValuesIn(testing::golden_cases()),
                         [](const auto& test) { return test.param.name; });

TEST(GoldenCases, NoneIsMissing) {
  const std::vector<GoldenCase> cases = testing::golden_cases();
  std::set<std::string> folders;
  for (const GoldenCase& golden : cases) folders.insert(golden.folder);
  const bool all = testing::file_exists(testing::shared_dir() + "/golden/index.json");
  EXPECT_EQ(folders.size(), all ? 33u : 2u);
}

}  // namespace
}  // namespace yolocu
