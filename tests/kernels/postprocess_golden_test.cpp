// decode and nms on every device against the official code's own results.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/decode/decode.h"
#include "kernels/nms/nms.h"
#include "tests/engine/golden.h"
#include "tests/kernels/decode_run.h"
#include "tests/kernels/nms_run.h"

namespace yolocu {
namespace {

using testing::DecodeLogits;
using testing::HeadFormat;
using testing::load_array;
using testing::load_json;
using testing::Predictions;

DecodeHead head_of(HeadFormat format) {
  return format == HeadFormat::kV9 ? DecodeHead::kDfl : DecodeHead::kAnchor;
}

std::string name_of(HeadFormat format) {
  return format == HeadFormat::kV9 ? "yolov9" : "yolov7";
}

class PostprocessGolden : public testing::KernelTest<HeadFormat> {
 protected:
  // expected [n, 7]: picture, x1 y1 x2 y2, score, class, in order.
  void expect_detections(const Predictions& predictions, const nlohmann::json& settings,
                         const NpyArray& expected);
  std::vector<testing::PlainCandidate> candidates_of(const Predictions& predictions, int64_t image,
                                                     const nlohmann::json& settings) const;
};

// What decode would list.
std::vector<testing::PlainCandidate> PostprocessGolden::candidates_of(
    const Predictions& predictions, int64_t image, const nlohmann::json& settings) const {
  const int64_t classes = predictions.row - (test_case() == HeadFormat::kV9 ? 4 : 5);
  DecodeProblem problem = {.head = head_of(test_case()), .classes = classes, .level_count = 1};
  problem.levels[0].height = 1;
  problem.levels[0].width = predictions.anchors;
  std::vector<bool> wanted(static_cast<size_t>(classes), settings["classes"].is_null());
  if (!settings["classes"].is_null()) {
    for (const auto c : settings["classes"].get<std::vector<size_t>>()) wanted.at(c) = true;
  }
  const bool multi = settings["multi_label"];
  return testing::reference_candidates(
      predictions.image(image).data(), problem,
      {.confidence = settings["conf_thres"],
       .labels = multi ? CandidateLabels::kMultiLabel : CandidateLabels::kBestClass},
      wanted);
}

bool same(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

void PostprocessGolden::expect_detections(const Predictions& predictions,
                                          const nlohmann::json& settings,
                                          const NpyArray& expected) {
  const bool agnostic = settings["agnostic"], v9 = test_case() == HeadFormat::kV9;
  NmsProblem problem = {.batch = predictions.batch,
                        .capacity = 1,
                        .classes = predictions.row - (v9 ? 4 : 5),
                        .max_detections = settings["max_det"],
                        .iou = settings["iou_thres"],
                        .class_offset = agnostic ? kClassAgnostic
                                        : v9     ? kClassOffsetYolov9
                                                 : kClassOffsetYolov7};
  testing::Pictures pictures;
  for (int64_t image = 0; image < predictions.batch; ++image) {
    pictures.push_back(candidates_of(predictions, image, settings));
    problem.capacity = std::max(problem.capacity, static_cast<int64_t>(pictures.back().size()));
  }
  const testing::NmsOutput output =
      run_nms(runtime(), kernels(), stream(), {select_nms(problem).value(), "", problem, {}},
              lists_of(pictures, problem));
  const auto rows = testing::values_of<NmsDetection>(output.detections);
  const auto counts = testing::values_of<int32_t>(output.counts);
  std::vector<float> found;
  for (size_t image = 0; image < counts.size(); ++image) {
    for (size_t i = 0; i < static_cast<size_t>(counts[image]); ++i) {
      const NmsDetection& d = rows[image * static_cast<size_t>(problem.max_detections) + i];
      found.insert(found.end(), {static_cast<float>(image), d.x1, d.y1, d.x2, d.y2, d.score,
                                 static_cast<float>(d.class_id)});
    }
  }
  ASSERT_EQ(found.size(), expected.values.size());
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_PRED2(same, found[i], expected.values[i]) << "row " << i / 7 << ", column " << i % 7;
  }
}

TEST_P(PostprocessGolden, NmsEqualsTheOfficialCode) {
  YOLOCU_REQUIRE_SHARED("golden/d/nms/nms.json");
  const auto golden = load_json("d/nms/nms.json");
  int cases = 0;
  for (const auto& test : golden) {
    if ((test["format"] == "v9") != (test_case() == HeadFormat::kV9)) continue;
    ++cases;
    // Where the official sort is unstable, the result of the stable rule is given beside it.
    const std::string file =
        test.contains("expected_stable") ? test["expected_stable"] : test["expected"];
    SCOPED_TRACE(file);
    expect_detections(
        testing::load_predictions("d/nms/" + test["pred"].get<std::string>(), test_case()),
        test["settings"], load_array("d/nms/" + file));
  }
  EXPECT_GE(cases, 25);
}

// Logits of level `index`; of YOLOv7 [B, A, h, w, row] -> [B, h, w, A * row].
DecodeLogits logits_of(const NpyArray& raw, const DecodeProblem& problem) {
  if (problem.head == DecodeHead::kDfl) {
    return {testing::channels_last(raw, 0, 4 * problem.bins),
            testing::channels_last(raw, 4 * problem.bins, problem.classes)};
  }
  const int64_t anchors = raw.shape[1], pixels = raw.shape[2] * raw.shape[3], row = raw.shape[4];
  DecodeLogits logits;
  for (int64_t b = 0; b < raw.shape[0]; ++b) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (int64_t a = 0; a < anchors; ++a) {
        const auto first = raw.values.begin() + ((b * anchors + a) * pixels + pixel) * row;
        logits.box.insert(logits.box.end(), first, first + row);
      }
    }
  }
  return logits;
}

DecodeLevel level_of(const NpyArray& raw, const nlohmann::json& facts, size_t index) {
  const size_t h = raw.shape.size() == 5 ? 2 : raw.shape.size() - 2;
  const int64_t classes = facts["nc"];
  DecodeLevel level = {.height = raw.shape[h],
                       .width = raw.shape[h + 1],
                       .stride = facts["strides"][index],
                       .box_pixel_stride = 64,
                       .class_pixel_stride = classes};
  if (raw.shape.size() != 5) return level;
  level.anchors = raw.shape[1];
  level.box_pixel_stride = level.anchors * raw.shape[4];
  const auto sizes = facts["anchors_px"][index].get<std::vector<float>>();
  std::copy(sizes.begin(), sizes.end(), level.sizes.begin());
  return level;
}

TEST_P(PostprocessGolden, DecodeEqualsTheOfficialCode) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  const auto names = testing::golden_cases(test_case() == HeadFormat::kV9 ? "v9_" : "v7_");
  ASSERT_GE(names.size(), 10u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string folder = "a/" + name + "/";
    const auto facts = load_json(folder + "case.json");
    const auto expected = testing::load_predictions(folder + "pred.npy", test_case());
    DecodeProblem problem = {.dtype = DType::kF32,
                             .head = head_of(test_case()),
                             .batch = expected.batch,
                             .classes = facts["nc"],
                             .level_count = static_cast<int64_t>(facts["strides"].size())};
    std::vector<DecodeLogits> logits;
    for (size_t i = 0; i < facts["strides"].size(); ++i) {
      const NpyArray raw = load_array(folder + "raw_" + std::to_string(i) + ".npy");
      problem.levels[i] = level_of(raw, facts, i);
      logits.push_back(logits_of(raw, problem));
    }
    testing::DecodeRun device(runtime(), kernels(), stream(), problem, logits);
    const auto found = device.predictions();
    ASSERT_EQ(found.size(), expected.values.size());
    for (size_t i = 0; i < found.size(); ++i) {
      const double value = expected.values[i];
      const bool is_box = i % static_cast<size_t>(expected.row) < 4;
      ASSERT_NEAR(found[i], value, is_box ? 1e-3 + 1e-6 * std::fabs(value) : 1e-6) << i;
    }
  }
}

YOLOCU_INSTANTIATE_ON_DEVICES(PostprocessGolden,
                              ::testing::Values(HeadFormat::kV9, HeadFormat::kV7), name_of);

}  // namespace
}  // namespace yolocu
