// `yolocu convert` and `yolocu run`, as processes, against the official PyTorch code: the door
// through which others check our numbers.
#include <gtest/gtest.h>

#include "apps/npy.h"
#include "tests/apps/program.h"
#include "tests/support/golden_case.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

class GoldenRun : public ::testing::TestWithParam<testing::GoldenCase> {};

TEST_P(GoldenRun, AgreesWithPyTorch) {
  const testing::GoldenCase& golden = GetParam();
  const testing::TempDir folder;
  const std::string model = folder.file("model.yolocu"), y = folder.file("y.npy");
  const auto converted =
      testing::run_yolocu({"convert", golden.checkpoint, "-o", model, "--dtype", "fp32"});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  const auto ran = testing::run_yolocu({"run", model, "--input", golden.input, "--output", y,
                                        "--device", std::string(device_name(golden.device))});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const auto predictions = read_npy(y);
  ASSERT_OK(predictions);
  ASSERT_EQ(predictions->shape.size(), 3u);
  testing::expect_golden_predictions(golden, predictions->values, predictions->shape);
}

INSTANTIATE_TEST_SUITE_P(Official, GoldenRun, ::testing::ValuesIn(testing::golden_cases()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(StateDict, GoldenRun, ::testing::ValuesIn(testing::state_dict_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace yolocu
