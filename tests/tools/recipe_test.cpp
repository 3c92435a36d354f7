// The formula against the test vectors of the reference data, bit for bit.
#include "tests/tools/recipe.h"

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/test_support.h"
#include "weights/format/safetensors.h"

namespace yolocu::testing {
namespace {

using nlohmann::json;

uint64_t hexadecimal(const json& text) {
  return std::stoull(text.get<std::string>(), nullptr, 16);
}

TEST(Recipe, AgreesWithTheTestVectors) {
  YOLOCU_REQUIRE_SHARED("golden/c/formula_test_vectors.json");
  const json vectors =
      json::parse(std::ifstream(shared_dir() + "/golden/c/formula_test_vectors.json"));
  ASSERT_EQ(vectors.size(), 12u);
  for (const json& v : vectors) {
    const std::string name = v["name"];
    const uint64_t index = v["flat_index"];
    SCOPED_TRACE(name);
    EXPECT_EQ(fnv1a_64(name), hexadecimal(v["fnv1a64"]));
    EXPECT_EQ(splitmix64_at(fnv1a_64(name), index), hexadecimal(v["splitmix64"]));
    EXPECT_EQ(std::bit_cast<uint32_t>(uniform_at(fnv1a_64(name), index)), hexadecimal(v["u_bits"]));
    if (!v.contains("value_bits")) continue;
    const RecipeTensor tensor{name, {}, "", v["base"], v["scale"]};
    EXPECT_EQ(std::bit_cast<uint32_t>(recipe_value(tensor, index)), hexadecimal(v["value_bits"]));
  }
}

TEST(Recipe, MakesAStateDictionary) {
  const TempDir folder;
  const json recipe = {{"tensors",
                        {{"a.weight", {2, 3}, "conv_weight", 0.0, 0.5},
                         {"a.count", json::array(), "zero_int64", 0.0, 0.0},
                         {"a.ramp", {2}, "arange", 0.0, 0.0}}},
                       {"constants", {{"a.ramp", {0.0, 1.0}}}}};
  std::ofstream(folder.file("model.json")) << recipe.dump();
  ASSERT_OK(write_recipe_checkpoint(folder.file("model.json"), folder.file("out.safetensors")));
  const auto bytes = read_bytes(folder.file("out.safetensors"));
  const auto file = parse_safetensors(bytes);
  ASSERT_OK(file);
  ASSERT_EQ(file->tensors.size(), 3u);
  EXPECT_EQ(file->tensors[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file->tensors[1].dtype, DType::kI64);
  float last = 0;
  std::memcpy(&last, file->bytes_of(file->tensors[0]).data() + 20, 4);
  EXPECT_EQ(last, recipe_value({"a.weight", {}, "", 0.0f, 0.5f}, 5));
  EXPECT_FALSE(write_recipe_checkpoint(folder.file("none.json"), folder.file("x")).ok());
}

}  // namespace
}  // namespace yolocu::testing
