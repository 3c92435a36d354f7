// Full-size architectures: recipe -> state dictionary -> conversion by name -> cpu and emulated
// devices, against what the official code predicts with the same weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/import/run_model.h"
#include "tests/support/golden_case.h"
#include "tests/support/rounding_rule.h"
#include "tests/support/test_support.h"
#include "tests/tools/recipe.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using nlohmann::json;

// Large ones take minutes and gigabytes: a program of their own, of the label full-size.
#ifdef YOLOCU_TEST_LARGE_MODELS
const std::vector<std::string> kModels = {
    "gelan-s",  "gelan-m", "gelan-c", "gelan-e",   "yolov9-s",  "yolov9-m",  "yolov9-c",
    "yolov9-e", "yolov7",  "yolov7x", "yolov7-w6", "yolov7-e6", "yolov7-d6", "yolov7-e6e"};
#else
const std::vector<std::string> kModels = {"gelan-t", "yolov9-t", "yolov7-tiny"};
#endif

class Recipe : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    YOLOCU_REQUIRE_SHARED("golden/c");
    folder_ = testing::shared_dir() + "/golden/c/" + GetParam();
    recipe_ = json::parse(std::ifstream(folder_ + "/model.json"));
  }

  // The recipe as a state dictionary, converted by name. Weights keep fp32.
  Result<Model> convert() const {
    const testing::TempDir files;
    const std::string path = files.file("recipe.safetensors");
    YOLOCU_RETURN_IF_ERROR(testing::write_recipe_checkpoint(folder_ + "/model.json", path));
    YOLOCU_ASSIGN_OR_RETURN(auto converted, convert_checkpoint(path, {.weight_dtype = DType::kF32,
                                                                      .input_size = 640,
                                                                      .architecture = GetParam()}));
    return std::move(converted.model);
  }

  NpyArray input() const {
    return testing::recipe_input(recipe_["input"]["name"], recipe_["input"]["shape"]);
  }

  // [B, N, row]
  NpyArray predictions() const {
    const auto stored = read_npy(folder_ + "/pred.npy");
    EXPECT_TRUE(stored.ok()) << stored.status().message();
    if (!stored.ok()) return {};
    const bool channels_first = recipe_["pred"]["layout"].get<std::string>().starts_with("[B,4");
    return channels_first ? testing::anchors_first(*stored) : *stored;
  }

  testing::Tolerance tolerance() const {
    const json& error = recipe_["err"];
    const auto largest = [&](const std::string& what) {
      const double folding = error["fused_vs_unfused_" + what]["max"];
      const json rounding = error.value("fp32_vs_fp64_" + what, json());
      return rounding.is_number() ? std::max(folding, rounding.get<double>()) : folding;
    };
    return {std::max(0.02, 10 * largest("box")), std::max(1e-4, 10 * largest("score"))};
  }

  std::string folder_;
  json recipe_;
};

int64_t convolution_parameters(const Model& model) {
  int64_t count = 0;
  for (const auto& [name, tensor] : model.tensors) {
    int64_t elements = 1;
    for (const int64_t extent : tensor.shape) elements *= extent;
    count += elements;
  }
  return count;
}

void expect_official_size(const Model& model, const json& recipe) {
  EXPECT_EQ(convolution_parameters(model),
            recipe["params"]["fused_main_branch_without_dfl_and_implicit"].get<int64_t>());
  const auto shapes = infer_shapes(model.spec.graph);
  ASSERT_OK(shapes);
  EXPECT_NEAR(conv_flops(model.spec.graph, *shapes, 640, 640) / 1e9,
              recipe["gflops_640"]["main"].get<double>(), 0.5e-4);
}

TEST_P(Recipe, AgreesWithPyTorch) {
  auto model = convert();
  ASSERT_OK(model);
  EXPECT_EQ(model->spec.architecture, GetParam());
  expect_official_size(*model, recipe_);
  const auto executor = testing::run_model(std::move(*model), Device::kCpu, input());
  ASSERT_NE(executor, nullptr);
  const auto worst = testing::expect_predictions(
      predictions(), executor->output(), {executor->batch(), executor->anchors(), executor->row()},
      tolerance());
  std::printf("%-12s largest difference: box %.2e px, score %.2e\n", GetParam().c_str(), worst.box,
              worst.score);
}

#if YOLOCU_HAS_EMULATION
// Our kernels, in fp16.
TEST_P(Recipe, EmulatedAgreesWithPyTorchInHalfPrecision) {
  auto model = convert();
  ASSERT_OK(model);
  const auto executor =
      testing::run_model(std::move(*model), Device::kEmulated, input(), Precision::kFp16);
  ASSERT_NE(executor, nullptr);
  testing::expect_half_predictions(GetParam(), predictions(), executor->output(), recipe_["err"]);
}
#endif

INSTANTIATE_TEST_SUITE_P(Models, Recipe, ::testing::ValuesIn(kModels), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace yolocu
