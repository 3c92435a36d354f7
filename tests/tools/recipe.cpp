#include "tests/tools/recipe.h"

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu::testing {
namespace {

using nlohmann::json;

size_t element_count(const std::vector<int64_t>& shape) {
  size_t count = 1;
  for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
  return count;
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string tensor_bytes(const RecipeTensor& tensor, const json& constants) {
  const size_t count = element_count(tensor.shape);
  if (tensor.kind == "zero_int64") return raw(std::vector<int64_t>(count, 0));
  if (tensor.kind == "const" || tensor.kind == "arange") {
    return raw(constants.at(tensor.name).get<std::vector<float>>());
  }
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = recipe_value(tensor, i);
  return raw(values);
}

// The header of a safetensors file of these tensors, in order.
std::string header_of(const std::vector<RecipeTensor>& tensors) {
  json header;
  size_t at = 0;
  for (const RecipeTensor& tensor : tensors) {
    const bool counter = tensor.kind == "zero_int64";
    const size_t end = at + element_count(tensor.shape) * (counter ? 8 : 4);
    header[tensor.name] = {
        {"dtype", counter ? "I64" : "F32"}, {"shape", tensor.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  return header.dump();
}

}  // namespace

uint64_t fnv1a_64(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

uint64_t splitmix64_at(uint64_t hash, uint64_t index) {
  uint64_t z = hash + (index + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

float uniform_at(uint64_t hash, uint64_t index) {
  const auto k = static_cast<int64_t>(splitmix64_at(hash, index) >> 40) - 8388608;
  return static_cast<float>(k) / 8388608.0f;
}

float recipe_value(const RecipeTensor& tensor, uint64_t index) {
  const float product = uniform_at(fnv1a_64(tensor.name), index) * tensor.scale;
  return tensor.base == 0 ? product : tensor.base + product;
}

Status write_recipe_checkpoint(const std::string& recipe_json, const std::string& output) {
  const json recipe = json::parse(std::ifstream(recipe_json), nullptr, false);
  if (!recipe.contains("tensors")) return corrupt(recipe_json + ": not a recipe");
  std::vector<RecipeTensor> tensors;
  for (const json& row : recipe["tensors"]) {
    tensors.push_back({row[0], row[1], row[2], row[3], row[4]});
  }
  const std::string header = header_of(tensors);
  const auto header_size = static_cast<uint64_t>(header.size());
  std::ofstream file(output, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&header_size), sizeof header_size);
  file << header;
  for (const RecipeTensor& tensor : tensors) file << tensor_bytes(tensor, recipe["constants"]);
  file.close();
  return file ? Status() : unavailable(output + ": cannot be written");
}

NpyArray recipe_input(const std::string& name, const std::vector<int64_t>& shape) {
  const uint64_t coarse = fnv1a_64(name + ".coarse"), fine = fnv1a_64(name + ".fine");
  const auto planes = static_cast<uint64_t>(shape[0] * shape[1]);
  const auto height = static_cast<uint64_t>(shape[2]), width = static_cast<uint64_t>(shape[3]);
  NpyArray picture{shape, {}};
  for (uint64_t p = 0; p < planes; ++p) {
    for (uint64_t y = 0; y < height; ++y) {
      for (uint64_t x = 0; x < width; ++x) {
        const uint64_t tile = (p * (height / 16) + y / 16) * (width / 16) + x / 16;
        const float base = 0.5f + 0.25f * uniform_at(coarse, tile);
        const float noise = 0.125f * uniform_at(fine, (p * height + y) * width + x);
        picture.values.push_back(base + noise);
      }
    }
  }
  return picture;
}

}  // namespace yolocu::testing
