// Calibration to int8 model, and that both devices which know int8 compute the same.
#include "engine/quantize/quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <variant>
#include <vector>

#include "engine/executor.h"
#include "engine/quantize/fake_quantizer.h"
#include "engine/quantize/prediction_error.h"
#include "engine/quantize/value_recorder.h"
#include "tests/engine/quantize/noise_run.h"
#include "tests/engine/test_graphs.h"
#include "tests/support/tiny_model.h"
#include "weights/format/packed_file.h"
#include "weights/format/quantization.h"

namespace yolocu::quantize {
namespace {

Result<QuantizedModel> quantized_network(QuantizeOptions options) {
  options.height = options.width = kSize;
  options.error_pictures = 2;
  return quantize_model(testing::small_network(), 3, load_noise, options);
}

// tiny_model's stem is half the sum of twelve inputs, in both channels.
TEST(Observer, SeesValuesAsTheyAreMade) {
  const auto ranges = std::make_shared<RangeRecorder>(5);
  const auto executor = create_executor(testing::tiny_model(), Device::kCpu, {.observer = ranges});
  ASSERT_OK(executor);
  std::fill((*executor)->input().begin(), (*executor)->input().end(), 0.25f);
  ASSERT_OK((*executor)->run());
  EXPECT_EQ(ranges->ranges(), (std::vector<float>{0, 1.5f, 0, 2.5f, 0}));
  const auto recorder = std::make_shared<HistogramRecorder>(ranges->ranges());
  const auto again = create_executor(testing::tiny_model(), Device::kCpu, {.observer = recorder});
  ASSERT_OK(again);
  std::fill((*again)->input().begin(), (*again)->input().end(), 0.125f);
  ASSERT_OK((*again)->run());
  const Histogram& stem = recorder->histograms()[1];
  EXPECT_EQ(stem.total(), 4 * 4 * 2);  // no padding
  EXPECT_EQ(stem.counts[Histogram::kBins / 2], stem.total());
}

TEST(Observer, SeesEveryComputedValueOnceAPicture) {
  struct Counter final : ValueObserver {
    std::map<int, int> calls;
    void observe(const ObservedValue& value) override { ++calls[value.node]; }
  };
  const auto counter = std::make_shared<Counter>();
  const auto model = testing::small_network();
  const auto executor = create_executor(
      model, Device::kCpu, {.batch = 2, .height = kSize, .width = kSize, .observer = counter});
  ASSERT_OK(executor);
  ASSERT_OK((*executor)->run());
  const auto& nodes = model->spec.graph.nodes;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Op& op = nodes[i].op;
    const int calls = counter->calls[static_cast<int>(i)];
    if (std::holds_alternative<AddOp>(op) || std::holds_alternative<MaxPoolOp>(op) ||
        std::holds_alternative<UpsampleOp>(op)) {
      EXPECT_EQ(calls, 2) << nodes[i].name;
    } else if (std::holds_alternative<ConvOp>(op)) {
      EXPECT_TRUE(calls == 2 || calls == 0) << nodes[i].name;  // 0: fused into a sum
    } else if (!std::holds_alternative<AvgPoolOp>(op) &&
               !std::holds_alternative<SpaceToDepthOp>(op)) {
      EXPECT_EQ(calls, 0) << nodes[i].name;
    }
  }
}

TEST(Observer, OtherDevicesHaveNone) {
  const auto ranges = std::make_shared<RangeRecorder>(5);
  testing::expect_refused(
      create_executor(testing::tiny_model(), Device::kReference, {.observer = ranges}).status(),
      StatusCode::kUnsupported, "only the cpu device");
  testing::expect_refused(create_executor(testing::tiny_model(), Device::kCpu,
                                          {.precision = Precision::kBf16, .observer = ranges})
                              .status(),
                          StatusCode::kUnsupported, "in fp32");
}

// The stem's values as int8 of scale 1/2, weights 1 of class k, accumulators of scale 1/4.
TEST(ReferenceInt8, IsTheRuleByHand) {
  auto model = std::make_shared<Model>(*testing::tiny_model());
  const std::vector<int8_t> weight = {1, 0, 0, 2};
  const std::vector<float> scale = {0.25f, 1.0f};
  model->tensors["q"] = {DType::kI8, {2, 1, 1, 2}, std::as_bytes(std::span(weight))};
  model->tensors["s"] = {DType::kF32, {2}, std::as_bytes(std::span(scale))};
  auto& nodes = model->spec.graph.nodes;
  std::get<ConvOp>(nodes[1].op).output_scale = 0.5f;
  auto& head = std::get<ConvOp>(nodes[3].op);
  head.weight = "q";
  head.accumulator_scale = "s";
  const auto executor = create_executor(model, Device::kReference, {.precision = Precision::kInt8});
  ASSERT_OK(executor);
  // Stem: 6 x, which is 12 x units: 1.5, 4.5 and 7.5 are ties.
  const std::pair<float, int> cases[] = {{0.125f, 2},    {0.375f, 4},  {0.625f, 8},
                                         {1000.0f, 127}, {-1.0f, -12}, {-1000.0f, -127}};
  for (const auto& [x, units] : cases) {
    std::fill((*executor)->input().begin(), (*executor)->input().end(), x);
    ASSERT_OK((*executor)->run());
    const auto row = (*executor)->output().first(6);
    const auto sigmoid = [](double logit) { return 1 / (1 + std::exp(-logit)); };
    EXPECT_NEAR(row[4], sigmoid(1 + 0.25 * units), 1e-6) << x;
    EXPECT_NEAR(row[5], sigmoid(1 + 2.0 * units), 1e-6) << x;
  }
}

TEST(Quantizer, SimulatedInt8IsWhatTheReferenceComputes) {
  const auto quantized = quantized_network({.keep = 0});
  ASSERT_OK(quantized);
  const auto observer = FakeQuantizer::create(*quantized->model);
  ASSERT_OK(observer);
  const auto exact =
      predictions(quantized->model, Device::kReference, {.precision = Precision::kInt8});
  const auto simulated = predictions(quantized->model, Device::kCpu, {.observer = *observer});
  const auto in_float = predictions(testing::small_network(), Device::kCpu, {});
  const auto only_weights = predictions(quantized->model, Device::kCpu, {});
  const Model& model = *quantized->model;
  const double rounding = difference(model, exact, in_float);
  EXPECT_GT(rounding, 1e-3);
  EXPECT_LT(rounding, 0.2);
  EXPECT_LT(difference(model, exact, simulated), rounding / 20);
  EXPECT_GT(difference(model, only_weights, simulated), rounding / 10);
}

TEST(Quantizer, KeepsTheMostSensitiveUnits) {
  const auto all = quantized_network({.keep = 0});
  ASSERT_OK(all);
  const QuantizeReport& report = all->report;
  ASSERT_GE(report.units.size(), 3u);
  EXPECT_EQ(report.error, report.error_of_all);
  for (size_t i = 1; i < report.units.size(); ++i) {
    const UnitReport& before = report.units[i - 1];
    EXPECT_GE(before.error / before.flops, report.units[i].error / report.units[i].flops);
  }
  const auto some = quantized_network({.keep = 1});
  ASSERT_OK(some);
  for (size_t i = 0; i < report.units.size(); ++i) {
    const UnitReport& unit = some->report.units[i];
    EXPECT_EQ(unit.is_int8, i >= 1);
    for (const int node : unit.convolutions) {
      const Op& op = some->model->spec.graph.nodes[static_cast<size_t>(node)].op;
      EXPECT_EQ(!std::get<ConvOp>(op).accumulator_scale.empty(), i >= 1);
    }
  }
  EXPECT_LT(some->report.int8_flops, report.int8_flops);
}

TEST(Quantizer, GetsBelowTheErrorThatIsAskedFor) {
  const auto two_kept = quantized_network({.keep = 2});
  ASSERT_OK(two_kept);
  const double wanted = two_kept->report.error;
  EXPECT_LT(wanted, two_kept->report.error_of_all);
  const auto some = quantized_network({.max_error = wanted, .max_float = 1});
  ASSERT_OK(some);
  EXPECT_LE(some->report.error, wanted);
  EXPECT_GT(some->report.int8_flops, 0);
  const auto none = quantized_network({.max_error = 0, .max_float = 1});
  ASSERT_OK(none);
  EXPECT_EQ(none->report.error, 0);
  EXPECT_FALSE(is_quantized(none->model->spec.graph));
}

TEST(Quantizer, KeepsNoMoreComputeThanAllowed) {
  const auto some = quantized_network({.max_error = 0, .max_float = 0.3});
  ASSERT_OK(some);
  double kept = 0;
  for (const UnitReport& unit : some->report.units) kept += unit.is_int8 ? 0 : unit.flops;
  EXPECT_GT(kept, 0);
  EXPECT_LE(kept, 0.3 * some->report.flops);
  EXPECT_LT(some->report.error, some->report.error_of_all);
}

TEST(Quantizer, IsDeterministicAndItsModelRunsInFloatAnywhere) {
  const auto first = quantized_network({});
  const auto second = quantized_network({});
  ASSERT_OK(first);
  ASSERT_OK(second);
  const auto bytes = serialize_packed(*first->model);
  ASSERT_OK(bytes);
  EXPECT_EQ(*bytes, *serialize_packed(*second->model));
  const auto cpu = predictions(first->model, Device::kCpu, {});
  const auto reference = predictions(first->model, Device::kReference, {});
  EXPECT_LT(difference(*first->model, reference, cpu), 1e-4);
}

TEST(Quantizer, RefusesWithTheCause) {
  const auto model = testing::small_network();
  testing::expect_refused(quantize_model(model, 0, load_noise, {}).status(),
                          StatusCode::kInvalidArgument, "no pictures");
  testing::expect_refused(quantized_network({.keep = 1000}).status(), StatusCode::kInvalidArgument,
                          "cannot keep 1000 groups of layers in floating point: there are");
  const auto quantized = quantized_network({.keep = 0});
  ASSERT_OK(quantized);
  testing::expect_refused(quantize_model(quantized->model, 1, load_noise, {}).status(),
                          StatusCode::kInvalidArgument, "quantized already");
  const auto bad_picture = [](int64_t, std::span<float>) { return corrupt("no picture"); };
  testing::expect_refused(
      quantize_model(model, 1, bad_picture, {.height = kSize, .width = kSize}).status(),
      StatusCode::kCorrupt, "no picture");
  testing::expect_refused(quantize_model(testing::tiny_anchor_model(), 1, load_noise, {}).status(),
                          StatusCode::kInvalidArgument, "nothing that can be int8");
}

}  // namespace
}  // namespace yolocu::quantize
