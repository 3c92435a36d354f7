#include "tests/support/golden_case.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/test_support.h"

namespace yolocu::testing {
namespace {

using nlohmann::json;

json load_json(const std::string& path) {
  return json::parse(std::ifstream(path));
}

enum class CaseForm : uint8_t { kModules, kTensors };

bool is_state_dict(const json& entry) {
  return entry["style"].get<std::string>().find("state_dict") != std::string::npos;
}

GoldenLayout layout_of(const std::string& name) {
  if (name.starts_with("mit_v7")) return GoldenLayout::kCornersObjectness;
  if (name.starts_with("mit_")) return GoldenLayout::kCorners;
  return name.starts_with("v7_") ? GoldenLayout::kAnchorsFirst : GoldenLayout::kChannelsFirst;
}

// The case on one device, from one of its files.
GoldenCase make_case(const std::string& root, const json& entry, const std::string& file,
                     Device device) {
  GoldenCase golden;
  golden.name = entry["case"];
  golden.folder = root + "/a/" + golden.name;
  golden.checkpoint = golden.folder + "/" + file;
  golden.input = root + "/" + entry["input"]["npy"].get<std::string>();
  golden.prediction = golden.folder + "/pred.npy";
  golden.detections = golden.folder + "/det_c25_i45.npy";
  golden.device = device;
  golden.layout = layout_of(golden.name);
  for (const std::string rounded : {"f16", "bf16"}) {  // rounded copies, predictions of their own
    if (!file.ends_with("_" + rounded + ".safetensors")) continue;
    golden.prediction = golden.folder + "/pred_" + rounded + ".npy";
    golden.detections.clear();
  }
  return golden;
}

std::string test_name(const GoldenCase& golden, const std::string& prefix,
                      const std::string& file) {
  std::string name = prefix + golden.name + "_";
  if (file != "ckpt.pt")
    name += file.substr(0, file.find('.')) + "_" + file.substr(file.size() - 2) + "_";
  name += device_name(golden.device);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Those cases of a folder of reference data that have modules, or those that have none.
void append_cases(std::vector<GoldenCase>& cases, const std::string& root,
                  const std::string& prefix, CaseForm form) {
  if (!file_exists(root + "/index.json")) return;
  const json index = load_json(root + "/index.json");
  for (const json& entry : index["part_a_b"]) {
    if (is_state_dict(entry) != (form == CaseForm::kTensors)) continue;
    for (const std::string file : entry["checkpoints"]) {
      for (const Device device : {Device::kReference, Device::kCpu}) {
        cases.push_back(make_case(root, entry, file, device));
        cases.back().name = test_name(cases.back(), prefix, file);
      }
    }
  }
}

// [B, N, 5 + classes] -> [B, N, 4 + classes]: each class times the objectness
NpyArray times_objectness(const NpyArray& array) {
  const auto row = static_cast<size_t>(array.shape[2]);
  NpyArray scored{{array.shape[0], array.shape[1], array.shape[2] - 1}, {}};
  for (size_t i = 0; i < array.values.size(); ++i) {
    const size_t entry = i % row;
    if (entry == 4) continue;
    const float factor = entry < 4 ? 1.0f : array.values[i - entry + 4];
    scored.values.push_back(array.values[i] * factor);
  }
  return scored;
}

// Boxes x1 y1 x2 y2 as cx cy w h.
NpyArray corners_to_centres(NpyArray rows) {
  const auto row = static_cast<size_t>(rows.shape[2]);
  for (size_t at = 0; at < rows.values.size(); at += row) {
    float* box = &rows.values[at];
    const float x1 = box[0], y1 = box[1], x2 = box[2], y2 = box[3];
    box[0] = (x1 + x2) / 2;
    box[1] = (y1 + y2) / 2;
    box[2] = x2 - x1;
    box[3] = y2 - y1;
  }
  return rows;
}

}  // namespace

NpyArray anchors_first(const NpyArray& array) {
  const auto batch = static_cast<size_t>(array.shape[0]);
  const auto row = static_cast<size_t>(array.shape[1]),
             anchors = static_cast<size_t>(array.shape[2]);
  NpyArray turned{{array.shape[0], array.shape[2], array.shape[1]}, {}};
  for (size_t i = 0; i < batch * anchors * row; ++i) {
    const size_t b = i / (anchors * row), a = i / row % anchors;
    turned.values.push_back(array.values[(b * row + i % row) * anchors + a]);
  }
  return turned;
}

bool has_objectness(GoldenLayout layout) {
  return layout == GoldenLayout::kAnchorsFirst || layout == GoldenLayout::kCornersObjectness;
}

std::ostream& operator<<(std::ostream& out, const GoldenCase& golden) {
  return out << golden.name;
}

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  append_cases(cases, data_dir() + "/golden", "shipped_", CaseForm::kModules);
  append_cases(cases, shared_dir() + "/golden", "", CaseForm::kModules);
  return cases;
}

std::vector<GoldenCase> state_dict_cases() {
  std::vector<GoldenCase> cases;
  append_cases(cases, shared_dir() + "/golden", "", CaseForm::kTensors);
  return cases;
}

double Tolerance::box_at(double w, double h) const {
  return std::max(box, 1e-3 * std::max({10.0, w, h}));
}

Tolerance tolerance_of(const GoldenCase& golden) {
  const json description = load_json(golden.folder + "/case.json");
  const json& error = description["err"];
  return {std::max(0.02, 10 * error["fp32_vs_fp64_box"].get<double>()),
          std::max(1e-4, 10 * error["fp32_vs_fp64_score"].get<double>())};
}

std::optional<double> measured_robustness(const GoldenCase& golden) {
  const json description = load_json(golden.folder + "/case.json");
  const json& detections = description["files"]["det_c25_i45"];
  if (!detections.contains("match_fraction_noise_2e6")) return std::nullopt;
  return detections["match_fraction_noise_2e6"].get<double>();
}

NpyArray golden_rows(const GoldenCase& golden, int64_t row) {
  const auto stored = read_npy(golden.prediction);
  if (!stored.ok() || stored->shape.size() != 3) {
    ADD_FAILURE() << golden.prediction << ": no predictions";
    return {};
  }
  if (golden.layout == GoldenLayout::kChannelsFirst) return anchors_first(*stored);
  const bool corners = golden.layout != GoldenLayout::kAnchorsFirst;
  const NpyArray rows = corners ? corners_to_centres(*stored) : *stored;
  return row == rows.shape[2] ? rows : times_objectness(rows);
}

PredictionError expect_predictions(const NpyArray& rows, std::span<const float> actual,
                                   const std::vector<int64_t>& shape, const Tolerance& tolerance) {
  PredictionError worst;
  EXPECT_EQ(rows.shape, shape);
  if (rows.shape != shape) return worst;
  const auto row = static_cast<size_t>(shape[2]);
  for (size_t at = 0; at < rows.values.size(); ++at) {
    const size_t entry = at % row;
    const float* reference = &rows.values[at - entry];
    const double error = std::abs(double{actual[at]} - rows.values[at]);
    const double allowed =
        entry < 4 ? tolerance.box_at(reference[2], reference[3]) : tolerance.score;
    if (!(error <= allowed)) {
      ADD_FAILURE() << "prediction " << at / row << " entry " << entry << ": " << actual[at]
                    << ", expected " << rows.values[at] << " +- " << allowed;
      return worst;
    }
    double& largest = entry < 4 ? worst.box : worst.score;
    largest = std::max(largest, error);
  }
  return worst;
}

PredictionError expect_golden_predictions(const GoldenCase& golden, std::span<const float> actual,
                                          const std::vector<int64_t>& shape) {
  const PredictionError worst =
      expect_predictions(golden_rows(golden, shape[2]), actual, shape, tolerance_of(golden));
  std::printf("%-40s largest difference: box %.2e px, score %.2e\n", golden.name.c_str(), worst.box,
              worst.score);
  return worst;
}

}  // namespace yolocu::testing
