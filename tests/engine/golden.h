// The optional reference data as arrays, for the tests of letterbox, decode and suppression.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/npy.h"
#include "tests/support/test_support.h"

namespace yolocu::testing {

// Paths are relative to the golden folder.
inline std::string golden_path(const std::string& path) {
  return shared_dir() + "/golden/" + path;
}

inline nlohmann::json load_json(const std::string& path) {
  std::ifstream in(golden_path(path));
  EXPECT_TRUE(in) << "cannot read " << path;
  return nlohmann::json::parse(in);
}

inline NpyArray load_array(const std::string& path) {
  Result<NpyArray> array = read_npy(golden_path(path));
  EXPECT_TRUE(array.ok()) << array.status().message();
  return array.ok() ? *std::move(array) : NpyArray{};
}

// Cases of part A whose name begins with `prefix`, sorted.
inline std::vector<std::string> golden_cases(const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_path("a"))) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(prefix, 0) == 0) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// [B, C, ...] -> [B, ..., channels [begin, begin + count) of C].
inline std::vector<float> channels_last(const NpyArray& array, int64_t begin, int64_t count) {
  const auto batch = static_cast<size_t>(array.shape[0]);
  const auto channels = static_cast<size_t>(array.shape[1]);
  const size_t pixels = array.values.size() / (batch * channels);
  std::vector<float> result;
  for (size_t b = 0; b < batch; ++b) {
    for (size_t i = 0; i < pixels; ++i) {
      for (int64_t c = begin; c < begin + count; ++c) {
        result.push_back(array.values[(b * channels + static_cast<size_t>(c)) * pixels + i]);
      }
    }
  }
  return result;
}

// Predictions of either dialect as [B, N, row]: v9 files hold [B, row, N], v7 files [B, N, row].
struct Predictions {
  int64_t batch = 0, anchors = 0, row = 0;
  std::vector<float> values;

  std::span<const float> image(int64_t index) const {
    const auto size = static_cast<size_t>(anchors * row);
    return std::span(values).subspan(static_cast<size_t>(index) * size, size);
  }
};

enum class HeadFormat : uint8_t { kV9, kV7 };

inline Predictions load_predictions(const std::string& path, HeadFormat format) {
  NpyArray array = load_array(path);
  if (array.shape.size() != 3) {
    ADD_FAILURE() << path << ": expected 3 dimensions";
    return {};
  }
  if (format == HeadFormat::kV7) {
    return {array.shape[0], array.shape[1], array.shape[2], std::move(array.values)};
  }
  return {array.shape[0], array.shape[2], array.shape[1], channels_last(array, 0, array.shape[1])};
}

}  // namespace yolocu::testing
