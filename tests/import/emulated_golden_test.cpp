// Checkpoints of every dialect through our kernels: converted, planned, and run in fp16 on the
// emulated device, all checks on, against PyTorch.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/import/run_model.h"
#include "tests/support/golden_case.h"
#include "tests/support/rounding_rule.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using testing::GoldenCase;

// One a checkpoint, whatever devices there are.
std::vector<GoldenCase> checkpoints() {
  std::vector<GoldenCase> cases = testing::golden_cases();
  const std::vector<GoldenCase> more = testing::state_dict_cases();
  cases.insert(cases.end(), more.begin(), more.end());
  std::erase_if(cases, [](const GoldenCase& c) { return c.device != Device::kReference; });
  for (GoldenCase& golden : cases) {
    golden.name.resize(golden.name.rfind('_'));
    golden.device = Device::kEmulated;
  }
  return cases;
}

class EmulatedGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(EmulatedGolden, AgreesWithPyTorchInHalfPrecision) {
  const GoldenCase& golden = GetParam();
  const auto x = read_npy(golden.input);
  auto converted = convert_checkpoint(golden.checkpoint, {.weight_dtype = DType::kF32});
  ASSERT_OK(x);
  ASSERT_OK(converted);
  const auto executor =
      testing::run_model(std::move(converted->model), golden.device, *x, Precision::kAuto);
  ASSERT_NE(executor, nullptr);
  const auto description = nlohmann::json::parse(std::ifstream(golden.folder + "/case.json"));
  testing::expect_half_predictions(golden.name, testing::golden_rows(golden, executor->row()),
                                   executor->output(), description["err"]);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, EmulatedGolden, ::testing::ValuesIn(checkpoints()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace yolocu
