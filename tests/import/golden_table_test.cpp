// One table of all golden cases: largest differences to PyTorch in fp32, and how far fp16 is off in
// units of what rounding does in PyTorch itself. The tolerances are those of golden_test.cpp and
// emulated_golden_test.cpp.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/import/run_model.h"
#include "tests/support/golden_case.h"
#include "tests/support/rounding_rule.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using testing::GoldenCase;

std::unique_ptr<Executor> run(const GoldenCase& golden, Device device, Precision precision) {
  const auto x = read_npy(golden.input);
  auto converted = convert_checkpoint(golden.checkpoint, {.weight_dtype = DType::kF32});
  if (!x.ok() || !converted.ok()) {
    ADD_FAILURE() << x.status().message() << converted.status().message();
    return nullptr;
  }
  return testing::run_model(std::move(converted->model), device, *x, precision);
}

// "  1.1e-03   2.0e-05" of box pixels and score.
std::string single_precision(const GoldenCase& golden) {
  const auto executor = run(golden, golden.device, Precision::kFp32);
  if (executor == nullptr) return "  failed";
  const testing::PredictionError error = testing::expect_predictions(
      testing::golden_rows(golden, executor->row()), executor->output(),
      {executor->batch(), executor->anchors(), executor->row()}, testing::tolerance_of(golden));
  char text[64];
  std::snprintf(text, sizeof text, "  %8.1e  %8.1e", error.box, error.score);
  return text;
}

#if YOLOCU_HAS_EMULATION
std::string half_precision(const GoldenCase& golden) {
  const auto executor = run(golden, Device::kEmulated, Precision::kAuto);
  if (executor == nullptr) return "  failed";
  const auto description = nlohmann::json::parse(std::ifstream(golden.folder + "/case.json"));
  const testing::RoundingQuotients q =
      testing::expect_half_predictions(golden.name, testing::golden_rows(golden, executor->row()),
                                       executor->output(), description["err"]);
  char text[64];
  std::snprintf(text, sizeof text, "  %8.2f  %8.2f  %8.2f  %8.2f", q.box_mean, q.box_p99,
                q.score_mean, q.score_p99);
  return text;
}
#else
std::string half_precision(const GoldenCase&) {
  return "";
}
#endif

TEST(GoldenTable, AllCases) {
  std::vector<GoldenCase> cases = testing::golden_cases();
  for (const GoldenCase& more : testing::state_dict_cases()) cases.push_back(more);
  // A row a checkpoint: its name without the device, which is the end of the case's.
  std::map<std::string, std::string> rows;
  for (const GoldenCase& golden : cases) {
    rows[golden.name.substr(0, golden.name.rfind('_'))] += single_precision(golden);
  }
  for (const GoldenCase& golden : cases) {
    if (golden.device != Device::kReference) continue;
    rows[golden.name.substr(0, golden.name.rfind('_'))] += half_precision(golden);
  }
  std::printf("%-44s  %8s  %8s  %8s  %8s  fp16 / rounding: box mean, p99, score mean, p99\n",
              "checkpoint", "ref px", "score", "cpu px", "score");
  for (const auto& [name, row] : rows) std::printf("%-44s%s\n", name.c_str(), row.c_str());
  EXPECT_GE(rows.size(), 2u);
}

}  // namespace
}  // namespace yolocu
