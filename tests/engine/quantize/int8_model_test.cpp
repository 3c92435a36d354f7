// Which layers go together, and weights by hand.
#include "engine/quantize/int8_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "tests/support/test_support.h"
#include "weights/format/quantization.h"

namespace yolocu::quantize {
namespace {

struct Numbers {
  std::vector<float> ones = std::vector<float>(64, 1.0f);
  std::vector<float> joined = {1, -8, 0.5f, 2, 0, 0, 0, 0};  // [2,1,1,4]
};

// stem (node 1) reads the picture; left and right read the stem's halves (2, 3); their outputs are
// joined (6); two more layers read that (7, 8); the heads read 7 and 8.
std::shared_ptr<const Model> forked_model() {
  const auto numbers = std::make_shared<Numbers>();
  auto model = std::make_shared<Model>();
  model->storage = numbers;
  const auto add = [&](const char* name, std::vector<int64_t> shape,
                       const std::vector<float>& values) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    model->tensors[name] = {DType::kF32, shape,
                            std::as_bytes(std::span(values).first(static_cast<size_t>(count)))};
  };
  add("stem", {4, 1, 1, 3}, numbers->ones);
  add("half", {2, 1, 1, 2}, numbers->ones);
  add("seven", {2, 1, 1, 4}, numbers->joined);
  add("eight", {2, 1, 1, 4}, numbers->ones);
  add("box", {4, 1, 1, 2}, numbers->ones);
  add("class", {1, 1, 1, 2}, numbers->ones);
  const auto conv = [](int64_t channels, const char* weight) {
    return ConvOp{.out_channels = channels, .weight = weight};
  };
  model->spec.class_names = {"thing"};
  model->spec.input_size = 8;
  model->spec.graph.nodes = {
      {"images", {}, InputOp{}},
      {"stem", {0}, conv(4, "stem")},
      {"upper", {1}, SliceOp{.begin = 0, .channels = 2}},
      {"lower", {1}, SliceOp{.begin = 2, .channels = 2}},
      {"left", {2}, conv(2, "half")},
      {"right", {3}, conv(2, "half")},
      {"cat", {4, 5}, ConcatOp{}},
      {"seven", {6}, conv(2, "seven")},
      {"eight", {6}, conv(2, "eight")},
      {"box", {7}, conv(4, "box")},
      {"class", {8}, conv(1, "class")},
      {"decode", {9, 10}, DecodeDflOp{.classes = 1, .bins = 1, .strides = {1}}}};
  return model;
}

TEST(PlanInt8Units, ValuesOfOneBufferAndTheirReadersGoTogether) {
  const auto units = plan_int8_units(forked_model()->spec.graph);
  ASSERT_EQ(units.size(), 4u);
  EXPECT_EQ(units[0].values, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(units[0].convolutions, (std::vector<int>{4, 5}));
  EXPECT_EQ(units[1].values, (std::vector<int>{4, 5, 6}));
  EXPECT_EQ(units[1].convolutions, (std::vector<int>{7, 8}));
  EXPECT_EQ(units[2].convolutions, (std::vector<int>{9}));
  EXPECT_EQ(units[3].convolutions, (std::vector<int>{10}));
}

TEST(PlanInt8Units, WhatIsJoinedWithThePictureOrAHeadIsFloat) {
  Graph graph = forked_model()->spec.graph;
  graph.nodes[6].inputs = {4, 0};  // the picture
  for (const Int8Unit& unit : plan_int8_units(graph)) {
    EXPECT_NE(unit.convolutions, (std::vector<int>{7, 8}));
  }
  graph = forked_model()->spec.graph;
  graph.nodes[11].inputs = {6, 10};  // a head
  EXPECT_EQ(plan_int8_units(graph).size(), 3u);
}

TEST(MakeInt8Model, FoldsScalesIntoWeightsAndSharesTheRest) {
  const auto model = forked_model();
  const auto units = plan_int8_units(model->spec.graph);
  // 4 is cut off at 127, 5 at 127 / 4: scales 1 and 1/4; 7 and 8 stay floating point.
  const std::vector<float> cut_offs = {0, 0, 0, 0, 127, 31.75f, 0, 0, 0, 0, 0, 0};
  const auto made = make_int8_model(model, std::span(units).subspan(1, 1), cut_offs);
  ASSERT_OK(made);
  ASSERT_OK(validate_model(**made));
  const auto& nodes = (*made)->spec.graph.nodes;
  EXPECT_EQ(std::get<ConvOp>(nodes[4].op).output_scale, 1);
  EXPECT_EQ(std::get<ConvOp>(nodes[5].op).output_scale, 0.25f);
  EXPECT_EQ(std::get<ConvOp>(nodes[4].op).accumulator_scale, "");
  EXPECT_EQ((*made)->tensors.at("half").data.data(), model->tensors.at("half").data.data());
  EXPECT_FALSE((*made)->tensors.contains("seven"));
  const auto& seven = std::get<ConvOp>(nodes[7].op);
  EXPECT_EQ(seven.output_scale, 0);
  const auto scales = tensor_to_float((*made)->tensors.at(seven.accumulator_scale));
  ASSERT_OK(scales);
  // 1, -8, 0.5 / 4, 2 / 4 in units of 8 / 127; a channel of zeros gets the least scale.
  EXPECT_EQ(*scales, (std::vector<float>{8.0f / 127, kMinAccumulatorScale}));
  const std::span<const std::byte> data = (*made)->tensors.at(seven.weight).data;
  const std::vector<int> expected = {16, -127, 2, 8, 0, 0, 0, 0};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(static_cast<int8_t>(data[i]), expected[i]) << i;
  }
}

TEST(MakeInt8Model, RefusesWeightsThatAreNotFinite) {
  auto model = std::make_shared<Model>(*forked_model());
  const std::vector<float> bad = {1, NAN, 1, 1, 1, 1, 1, 1};
  model->tensors["seven"].data = std::as_bytes(std::span(bad));
  const auto units = plan_int8_units(model->spec.graph);
  const std::vector<float> cut_offs(12, 1.0f);
  testing::expect_refused(make_int8_model(model, units, cut_offs).status(),
                          StatusCode::kInvalidArgument,
                          "node 'seven': tensor 'seven' has a weight of nan");
}

}  // namespace
}  // namespace yolocu::quantize
