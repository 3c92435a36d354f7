// What conversion keeps of real checkpoints: parameters of the main branch, auxiliary branches.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/import/checkpoint_file.h"
#include "tests/import/run_model.h"
#include "tests/support/golden_case.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"
#include "weights/import/lowering.h"
#include "weights/import/module_tree.h"

namespace yolocu {
namespace {

using testing::GoldenCase;

std::vector<GoldenCase> reference_cases() {
  std::vector<GoldenCase> cases;
  for (GoldenCase& golden : testing::golden_cases()) {
    if (golden.device == Device::kReference) cases.push_back(std::move(golden));
  }
  return cases;
}

class GoldenBranch : public ::testing::TestWithParam<GoldenCase> {
 protected:
  std::string checkpoint_path() const { return GetParam().folder + "/ckpt.pt"; }
  testing::CheckpointFile checkpoint() const {
    return testing::CheckpointFile(testing::read_bytes(checkpoint_path()));
  }
};

Module& head_of(Module& root) {
  for (auto& [name, child] : root.children) {
    if (name == "model") return child.children.back().second;
  }
  return root;
}

// Elements of the implicit tensors below: PyTorch counts them, a folded graph has none.
int64_t implicit_elements(const Module& module) {
  int64_t count = 0;
  const ImportedTensor* implicit = module.tensor("implicit");
  if (implicit != nullptr) count += static_cast<int64_t>(implicit->values().size());
  for (const auto& [name, child] : module.children) count += implicit_elements(child);
  return count;
}

bool has_auxiliary_branch(const Module& head) {
  return head.child("m2") != nullptr || head.child("cv4") != nullptr;
}

// Elements of all tensors of the model's branch, by name.
std::map<std::string, int64_t> parameters_of(const std::string& path, HeadBranch branch) {
  const auto converted = convert_checkpoint(path, {.weight_dtype = DType::kF32, .branch = branch});
  EXPECT_TRUE(converted.ok()) << converted.status().message();
  std::map<std::string, int64_t> parameters;
  if (!converted.ok()) return parameters;
  for (const auto& [name, tensor] : converted->model.tensors) {
    parameters[name] = static_cast<int64_t>(tensor.data.size() / sizeof(float));
  }
  return parameters;
}

// The constants of DFL, which are parameters in PyTorch: one set a branch.
int64_t dfl_elements(const Module& head) {
  int64_t count = 0;
  for (const auto& [name, child] : head.children) {
    if (name.starts_with("dfl")) count += head.integer("reg_max").value_or(0);
  }
  return count;
}

// PyTorch's count after fusing is that of both branches together, less what is no convolution.
TEST_P(GoldenBranch, ParametersAreThoseOfTheFusedModel) {
  auto source = checkpoint();
  ASSERT_OK(source);
  const Module& head = head_of(source->model);
  if (head.type_name().starts_with("Triple")) GTEST_SKIP() << "the second branch is not converted";
  auto parameters = parameters_of(checkpoint_path(), HeadBranch::kMain);
  if (has_auxiliary_branch(head)) {
    parameters.merge(parameters_of(checkpoint_path(), HeadBranch::kAuxiliary));
  }
  int64_t total = 0;
  for (const auto& [name, count] : parameters) total += count;
  const auto about = nlohmann::json::parse(std::ifstream(GetParam().folder + "/case.json"));
  EXPECT_EQ(total + implicit_elements(head) + dfl_elements(head),
            about["params_fused"].get<int64_t>());
}

// Makes a head of two or three branches one that has nothing but its auxiliary branch.
void keep_auxiliary_only(Module& head) {
  auto& from = std::get<std::vector<double>>(head.attributes.at("f"));
  if (head.child("m2") != nullptr) {
    std::erase_if(head.children, [](const auto& child) { return child.first != "m2"; });
    head.children[0].first = "m";
    from.erase(from.begin(), from.begin() + static_cast<int64_t>(from.size() / 2));
    head.type = "models.yolo.Detect";
  } else {
    from.resize(head.child("cv2")->children.size());
    head.type = "models.yolo.DDetect";
  }
}

Result<Model> lower_whole(const Module& root, std::vector<std::string> names) {
  Lowering lowering;
  YOLOCU_RETURN_IF_ERROR(lower_model(lowering, root));
  lowering.builder.drop_unreachable();
  YOLOCU_ASSIGN_OR_RETURN(Model model, std::move(lowering.builder).finish());
  model.spec.class_names = std::move(names);
  return model;
}

// The auxiliary branch converts to what a checkpoint without the main one would.
TEST_P(GoldenBranch, AuxiliaryBranchIsTheModelWithoutTheMainOne) {
  auto source = checkpoint();
  ASSERT_OK(source);
  Module& head = head_of(source->model);
  auto converted = convert_checkpoint(
      checkpoint_path(), {.weight_dtype = DType::kF32, .branch = HeadBranch::kAuxiliary});
  if (!has_auxiliary_branch(head)) {
    testing::expect_refused(converted.status(), StatusCode::kUnsupported, "no auxiliary branch");
    return;
  }
  ASSERT_OK(converted);
  keep_auxiliary_only(head);
  auto alone = lower_whole(source->model, converted->model.spec.class_names);
  ASSERT_OK(alone);
  const auto x = read_npy(GetParam().input);
  ASSERT_OK(x);
  const auto expected = testing::run_model(std::move(*alone), Device::kReference, *x);
  const auto actual = testing::run_model(std::move(converted->model), Device::kReference, *x);
  ASSERT_NE(expected, nullptr);
  ASSERT_NE(actual, nullptr);
  EXPECT_TRUE(testing::all_close(actual->output(), expected->output(), 0, 0));
}

INSTANTIATE_TEST_SUITE_P(Official, GoldenBranch, ::testing::ValuesIn(reference_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace yolocu
