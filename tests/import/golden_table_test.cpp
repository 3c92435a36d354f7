// The table of all cases: largest differences from PyTorch, beside what the reference data allow.
//
//   ctest --preset dev -L golden-table -V
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/import/run_model.h"
#include "tests/support/golden_case.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using testing::GoldenCase;

void print_row(const GoldenCase& golden) {
  SCOPED_TRACE(golden.name);
  const auto x = read_npy(golden.input);
  ASSERT_OK(x);
  ConvertOptions options;
  options.weight_dtype = DType::kF32;
  auto converted = convert_checkpoint(golden.checkpoint, options);
  ASSERT_OK(converted);
  const std::string dialect = converted->report.dialect;
  const auto executor = testing::run_model(std::move(converted->model), golden.device, *x);
  ASSERT_NE(executor, nullptr);
  const testing::Tolerance tolerance = testing::tolerance_of(golden);
  const auto worst = testing::expect_predictions(
      testing::golden_rows(golden, executor->row()), executor->output(),
      {executor->batch(), executor->anchors(), executor->row()}, tolerance);
  std::printf("%-44s %-24s %9.2e %9.2e %9.2e %9.2e\n", golden.name.c_str(), dialect.c_str(),
              worst.box, tolerance.box, worst.score, tolerance.score);
}

TEST(GoldenTable, EveryCheckpointOnEveryDevice) {
  std::vector<GoldenCase> cases = testing::golden_cases();
  const std::vector<GoldenCase> tensors = testing::state_dict_cases();
  cases.insert(cases.end(), tensors.begin(), tensors.end());
  std::printf("%-44s %-24s %9s %9s %9s %9s\n", "case and device", "read as", "box, px", "allowed",
              "score", "allowed");
  for (const GoldenCase& golden : cases) print_row(golden);
  std::printf("%zu rows; large boxes are allowed 1e-3 of their size\n", cases.size());
  EXPECT_GE(cases.size(), 2u);
}

}  // namespace
}  // namespace yolocu
