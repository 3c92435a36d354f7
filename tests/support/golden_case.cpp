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

void append_cases(std::vector<GoldenCase>& cases, const std::string& root,
                  const std::string& prefix) {
  if (!file_exists(root + "/index.json")) return;
  const json index = load_json(root + "/index.json");
  for (const json& entry : index["part_a_b"]) {
    const std::string name = entry["case"];
    if (!name.starts_with("v9_") || name == "v9_gelan-t_sd") continue;
    for (const Device device : {Device::kReference, Device::kCpu}) {
#ifndef YOLOCU_TEST_HAS_CPU
      if (device == Device::kCpu) continue;
#endif
      GoldenCase golden{prefix + name + "_" + std::string(device_name(device)), root + "/a/" + name,
                        root + "/" + entry["input"]["npy"].get<std::string>(), device};
      std::replace(golden.name.begin(), golden.name.end(), '-', '_');
      cases.push_back(std::move(golden));
    }
  }
}

}  // namespace

std::vector<GoldenCase> golden_cases() {
  std::vector<GoldenCase> cases;
  append_cases(cases, data_dir() + "/golden", "shipped_");
  append_cases(cases, shared_dir() + "/golden", "");
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

bool has_robust_detections(const GoldenCase& golden) {
  const json description = load_json(golden.folder + "/case.json");
  return description["files"]["det_c25_i45"]["match_fraction_noise_2e6"].get<double>() == 1.0;
}

void expect_golden_predictions(const GoldenCase& golden, std::span<const float> actual,
                               const std::vector<int64_t>& shape) {
  const auto expected = read_npy(golden.folder + "/pred.npy");
  ASSERT_OK(expected);
  const int64_t batch = shape[0], anchors = shape[1], rows = shape[2];
  ASSERT_EQ(expected->shape, (std::vector<int64_t>{batch, rows, anchors}));
  const Tolerance tolerance = tolerance_of(golden);
  double worst_box = 0, worst_score = 0;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t a = 0; a < anchors; ++a) {
      const auto reference = [&](int64_t i) {
        return double{expected->values[static_cast<size_t>((b * rows + i) * anchors + a)]};
      };
      for (int64_t i = 0; i < rows; ++i) {
        const double value = actual[static_cast<size_t>((b * anchors + a) * rows + i)];
        const double error = std::abs(value - reference(i));
        const double allowed =
            i < 4 ? tolerance.box_at(reference(2), reference(3)) : tolerance.score;
        ASSERT_TRUE(error <= allowed)
            << "picture " << b << " anchor " << a << " entry " << i << ": " << value
            << ", expected " << reference(i) << " +- " << allowed;
        double& worst = i < 4 ? worst_box : worst_score;
        worst = std::max(worst, error);
      }
    }
  }
  std::printf("%-36s largest difference: box %.2e px, score %.2e\n", golden.name.c_str(), worst_box,
              worst_score);
}

}  // namespace yolocu::testing
