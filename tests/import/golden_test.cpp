// Official YOLOv9 checkpoints, converted and run, against what the official PyTorch code computes
// from the same files. Every case runs on every device of the build. tests/data holds two cases, so
// a bare clone proves parity; the optional reference data adds all others.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/npy.h"
#include "engine/executor.h"
#include "engine/postprocess/nms.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using nlohmann::json;

struct GoldenCase {
  std::string name;
  std::string root;   // folder of index.json
  std::string input;  // .npy below root
  Device device = Device::kReference;
};

json load_json(const std::string& path) { return json::parse(std::ifstream(path)); }

// The official YOLOv9 cases listed in root/index.json; plain state dictionaries have no module tree.
std::vector<GoldenCase> list_cases(const std::string& root) {
  std::vector<GoldenCase> cases;
  if (!testing::file_exists(root + "/index.json")) return cases;
  const json index = load_json(root + "/index.json");
  for (const json& entry : index["part_a_b"]) {
    const std::string name = entry["case"];
    if (name.rfind("v9_", 0) != 0 || name == "v9_gelan-t_sd") continue;
    for (const Device device : {Device::kReference, Device::kCpu}) {
      cases.push_back({name, root, entry["input"]["npy"], device});
    }
  }
  return cases;
}

std::vector<GoldenCase> all_cases() {
  const std::string shared = testing::shared_dir() + "/golden";
  std::vector<GoldenCase> cases = list_cases(shared);
  return cases.empty() ? list_cases(testing::data_dir() + "/golden") : cases;
}

std::string case_name(const ::testing::TestParamInfo<GoldenCase>& test) {
  std::string name = test.param.name + "_" + std::string(device_name(test.param.device));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// [B,3,H,W] -> [B,H,W,3]
void fill_input(std::span<float> nhwc, const NpyArray& nchw) {
  const int64_t pixels = nchw.shape[2] * nchw.shape[3];
  for (int64_t b = 0; b < nchw.shape[0]; ++b) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t i = 0; i < pixels; ++i) {
        nhwc[static_cast<size_t>((b * pixels + i) * 3 + c)] =
            nchw.values[static_cast<size_t>((b * 3 + c) * pixels + i)];
      }
    }
  }
}

class Golden : public ::testing::TestWithParam<GoldenCase> {
 protected:
  std::string folder() const { return GetParam().root + "/a/" + GetParam().name; }

  // Converts, plans and runs; nothing if a step failed (which fails the test).
  std::unique_ptr<Executor> run() {
    const auto x = read_npy(GetParam().root + "/" + GetParam().input);
    auto converted = convert_checkpoint(folder() + "/ckpt.pt", {.weight_dtype = DType::kF32});
    if (!x.ok() || !converted.ok()) {
      ADD_FAILURE() << x.status().message() << converted.status().message();
      return nullptr;
    }
    auto executor = create_executor(
        std::make_shared<const Model>(std::move(converted->model)), GetParam().device,
        {.batch = x->shape[0], .height = x->shape[2], .width = x->shape[3],
         .precision = Precision::kFp32});
    if (!executor.ok()) {
      ADD_FAILURE() << executor.status().message();
      return nullptr;
    }
    fill_input((*executor)->input(), *x);
    const Status status = (*executor)->run();
    EXPECT_TRUE(status.ok()) << status.message();
    return std::move(*executor);
  }
};

// The tolerances of the reference data: 10 x the error of fp32 against fp64 in PyTorch itself.
struct Tolerance {
  double box, score;
  double box_at(double w, double h) const {
    return std::max(box, 1e-3 * std::max({10.0, w, h}));
  }
};

Tolerance tolerance_of(const json& description) {
  const json& error = description["err"];
  return {std::max(0.02, 10 * error["fp32_vs_fp64_box"].get<double>()),
          std::max(1e-4, 10 * error["fp32_vs_fp64_score"].get<double>())};
}

TEST_P(Golden, PredictionsAgreeWithPyTorch) {
#ifndef YOLOCU_TEST_HAS_CPU
  if (GetParam().device == Device::kCpu) GTEST_SKIP() << "this build has no cpu device";
#endif
  const Tolerance tolerance = tolerance_of(load_json(folder() + "/case.json"));
  const auto expected = read_npy(folder() + "/pred.npy");  // [B, 4 + classes, anchors]
  ASSERT_OK(expected);
  const std::unique_ptr<Executor> executor = run();
  ASSERT_NE(executor, nullptr);
  const int64_t rows = executor->row(), anchors = executor->anchors();
  ASSERT_EQ(expected->shape, (std::vector<int64_t>{executor->batch(), rows, anchors}));
  const std::span<const float> actual = executor->output();
  double worst_box = 0, worst_score = 0;
  for (int64_t b = 0; b < executor->batch(); ++b) {
    for (int64_t a = 0; a < anchors; ++a) {
      const auto reference = [&](int64_t i) {
        return double{expected->values[static_cast<size_t>((b * rows + i) * anchors + a)]};
      };
      for (int64_t i = 0; i < rows; ++i) {
        const double value = actual[static_cast<size_t>((b * anchors + a) * rows + i)];
        const double error = std::abs(value - reference(i));
        const double allowed =
            i < 4 ? tolerance.box_at(reference(2), reference(3)) : tolerance.score;
        ASSERT_TRUE(error <= allowed) << "picture " << b << " anchor " << a << " entry " << i
                                      << ": " << value << ", expected " << reference(i) << " +- "
                                      << allowed;
        (i < 4 ? worst_box : worst_score) = std::max(i < 4 ? worst_box : worst_score, error);
      }
    }
  }
  std::printf("%-24s %-9s largest difference: box %.2e px, score %.2e\n",
              GetParam().name.c_str(), std::string(device_name(GetParam().device)).c_str(),
              worst_box, worst_score);
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
    const double box = tolerance.box_at(row[3] - row[1], row[4] - row[2]) * 1.5;
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

TEST_P(Golden, DetectionsAreTheSameSet) {
#ifndef YOLOCU_TEST_HAS_CPU
  if (GetParam().device == Device::kCpu) GTEST_SKIP() << "this build has no cpu device";
#endif
  const json description = load_json(folder() + "/case.json");
  if (description["files"]["det_c25_i45"]["match_fraction_noise_2e6"].get<double>() < 1.0) {
    GTEST_SKIP() << "rounding noise alone changes this case's detections";
  }
  const auto expected = read_npy(folder() + "/det_c25_i45.npy");
  ASSERT_OK(expected);
  const std::unique_ptr<Executor> executor = run();
  ASSERT_NE(executor, nullptr);
  const auto per_image = static_cast<size_t>(executor->anchors() * executor->row());
  for (int64_t b = 0; b < executor->batch(); ++b) {
    const auto predictions =
        executor->output().subspan(static_cast<size_t>(b) * per_image, per_image);
    const auto found = non_max_suppression(predictions, executor->row(),
                                           {.confidence = 0.25f, .iou = 0.45f, .classes = {}});
    expect_same_detections(found, *expected, b, tolerance_of(description));
  }
}

INSTANTIATE_TEST_SUITE_P(Official, Golden, ::testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace yolocu
