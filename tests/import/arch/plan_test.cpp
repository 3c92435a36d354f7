// What the GPU devices launch for official networks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "engine/plan_report.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

struct PlanCase {
  std::string architecture;
  Precision precision;
  int64_t sums;  // of maps of different sizes: one launch each
};

class OfficialPlan : public ::testing::TestWithParam<PlanCase> {};

int64_t launches_of(const PlanReport& report, std::string_view family) {
  return std::ranges::count_if(report.steps, [&](const PlanStep& step) {
    return step.launches > 0 && step.implementation.starts_with(family);
  });
}

// At 640x640, one picture: no launch of its own for concat, chunk, upsample or activation.
TEST_P(OfficialPlan, LaunchesOnlyWhatComputes) {
  auto converted = make_synthetic_model(1, {.architecture = GetParam().architecture});
  ASSERT_OK(converted);
  const auto model = std::make_shared<const Model>(std::move(converted->model));
  const auto report = report_plan(model, Device::kEmulated,
                                  {.height = 640, .width = 640, .precision = GetParam().precision});
  ASSERT_OK(report);
  EXPECT_EQ(launches_of(*report, "channel_copy"), 0);
  EXPECT_EQ(launches_of(*report, "resize_sum"), GetParam().sums);
  const int64_t convolutions = launches_of(*report, "conv_");
  EXPECT_EQ(convolutions, std::ranges::count_if(model->spec.graph.nodes, [](const Node& n) {
              return std::holds_alternative<ConvOp>(n.op);
            }));
  const bool is_bf16 = GetParam().precision == Precision::kBf16;
  // All of them on tensor cores, and with 16-byte loads.
  EXPECT_EQ(launches_of(*report, is_bf16 ? "conv_igemm_bf16" : "conv_igemm_f16") +
                launches_of(*report, is_bf16 ? "conv_wgmma_bf16" : "conv_wgmma_f16"),
            convolutions);
  for (const PlanStep& step : report->steps) {
    const bool is_conv = step.implementation.starts_with("conv_");
    EXPECT_TRUE(!is_conv || step.implementation.ends_with("_v16")) << step.implementation;
  }
  EXPECT_EQ(convolutions + launches_of(*report, "pool_") + launches_of(*report, "resize_sum") +
                launches_of(*report, "letterbox") + launches_of(*report, "decode") +
                launches_of(*report, "nms") + launches_of(*report, "space_to_depth"),
            report->launches);
  const double of_bound =
      static_cast<double>(report->arena_bytes) / static_cast<double>(report->arena_bound_bytes);
  EXPECT_LE(of_bound, 1.25);
  std::printf("%-12s %lld launches, arena %lld bytes (%.3f x the bound), %lld bytes moved\n",
              GetParam().architecture.c_str(), static_cast<long long>(report->launches),
              static_cast<long long>(report->arena_bytes), of_bound,
              static_cast<long long>(report->moved_bytes));
}

INSTANTIATE_TEST_SUITE_P(Networks, OfficialPlan,
                         ::testing::Values(PlanCase{"gelan-t", Precision::kFp16, 0},
                                           PlanCase{"yolov9-m", Precision::kFp16, 0},
                                           PlanCase{"yolov9-c", Precision::kFp16, 0},
                                           PlanCase{"yolov9-c", Precision::kBf16, 0},
                                           PlanCase{"yolov9-e", Precision::kFp16, 5},
                                           PlanCase{"yolov7-tiny", Precision::kFp16, 0},
                                           PlanCase{"yolov7", Precision::kFp16, 0},
                                           PlanCase{"yolov7-w6", Precision::kFp16, 0}),
                         [](const auto& test) {
                           std::string name = test.param.architecture + "_" +
                                              std::string(precision_name(test.param.precision));
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace yolocu
