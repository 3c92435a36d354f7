// What int8 means: rounding, scales along the graph, real weights; all by hand.
#include "weights/format/quantization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/format/packed_bytes.h"
#include "tests/format/small_model.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

TEST(QuantizeInt8, RoundsTiesToEvenAndSaturates) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::pair<float, int> cases[] = {
      {0.0f, 0},      {-0.0f, 0},       {0.5f, 0},          {1.5f, 2},     {2.5f, 2},
      {-0.5f, 0},     {-1.5f, -2},      {0.50001f, 1},      {126.5f, 126}, {126.6f, 127},
      {127.0f, 127},  {127.49f, 127},   {128.0f, 127},      {1e30f, 127},  {-127.5f, -127},
      {-1e30f, -127}, {kInfinity, 127}, {-kInfinity, -127}, {NAN, -127}};
  for (const auto& [x, q] : cases) {
    EXPECT_EQ(quantize_int8(x, 1.0f), q) << x;
    EXPECT_EQ(quantize_int8(x / 4, 4.0f), q) << x;
  }
}

TEST(QuantizeInt8, IsTheNearestInteger) {
  for (const float x : testing::random_floats(10000, 3)) {
    const float scaled = x * 130;
    const float nearest = std::nearbyintf(std::fmin(std::fmax(scaled, -127.0f), 127.0f));
    EXPECT_EQ(static_cast<float>(quantize_int8(x, 130.0f)), nearest) << x;
  }
}

std::vector<ChannelScales> scales_of(const Graph& graph) {
  const auto shapes = infer_shapes(graph);
  EXPECT_OK(shapes);
  const auto scales = infer_scales(graph, *shapes);
  EXPECT_OK(scales);
  return scales.ok() ? *scales : std::vector<ChannelScales>();
}

TEST(InferScales, FollowTheChannels) {
  const ConvOp a{.out_channels = 2, .weight = "w", .output_scale = 0.5f};
  const ConvOp b{.out_channels = 4, .weight = "w", .output_scale = 2.0f};
  Graph graph;
  graph.nodes = {{"images", {}, InputOp{}},
                 {"a", {0}, a},
                 {"b", {0}, b},
                 {"cat", {2, 1, 2}, ConcatOp{}},
                 {"part", {3}, SliceOp{.begin = 3, .channels = 4}},
                 {"pool", {4}, MaxPoolOp{.kernel = 2, .stride = 2}},
                 {"mean", {5}, AvgPoolOp{.kernel = 1, .stride = 1}},
                 {"up", {6}, UpsampleOp{.factor = 2}},
                 {"reorg", {4}, SpaceToDepthOp{}},
                 {"sum", {4, 4}, AddOp{.output_scale = 4.0f}},
                 {"float sum", {4, 4}, AddOp{}},
                 {"box", {4}, ConvOp{.out_channels = 4, .weight = "w"}},
                 {"class", {4}, ConvOp{.out_channels = 1, .weight = "w"}},
                 {"decode", {11, 12}, DecodeDflOp{.classes = 1, .bins = 1, .strides = {1}}}};
  const auto scales = scales_of(graph);
  ASSERT_EQ(scales.size(), graph.nodes.size());
  const ChannelScales part = {{0, 1, 2.0f}, {1, 2, 0.5f}, {3, 1, 2.0f}};
  EXPECT_EQ(scales[0], ChannelScales());
  EXPECT_EQ(scales[1], (ChannelScales{{0, 2, 0.5f}}));
  EXPECT_EQ(scales[3], (ChannelScales{{0, 4, 2.0f}, {4, 2, 0.5f}, {6, 4, 2.0f}}));
  for (const size_t i : {4u, 5u, 6u, 7u}) EXPECT_EQ(scales[i], part) << i;
  EXPECT_EQ(scale_of_channels(scales[8]), (std::vector<float>{2, 0.5f, 0.5f, 2, 2, 0.5f, 0.5f, 2, 2,
                                                              0.5f, 0.5f, 2, 2, 0.5f, 0.5f, 2}));
  EXPECT_EQ(scales[9], (ChannelScales{{0, 4, 4.0f}}));
  EXPECT_EQ(scales[10], ChannelScales());
  EXPECT_EQ(scales[13], ChannelScales());
}

// A grouped int8 convolution of a concat: each weight is divided by its own channel's scale.
TEST(Dequantized, WeightsAreRealOnes) {
  struct Numbers {
    std::vector<float> stem = std::vector<float>(4 * 3, 1.0f), scales = {0.5f, 3.0f};
    std::vector<int8_t> weights = {1, -2, 3, 127, -127, 0, 8, 4};  // [2,1,1,4] of 8 channels
  };
  const auto numbers = std::make_shared<Numbers>();
  Model model;
  model.storage = numbers;
  const auto bytes = [](const auto& values) { return std::as_bytes(std::span(values)); };
  model.tensors["stem"] = {DType::kF32, {4, 1, 1, 3}, bytes(numbers->stem)};
  model.tensors["w"] = {DType::kI8, {2, 1, 1, 4}, bytes(numbers->weights)};
  model.tensors["s"] = {DType::kF32, {2}, bytes(numbers->scales)};
  model.tensors["w.1"] = {DType::kF32, {2}, bytes(numbers->scales)};  // in the way
  const auto stem = [](float scale) {
    return ConvOp{.out_channels = 4, .weight = "stem", .output_scale = scale};
  };
  const ConvOp head{.out_channels = 2, .groups = 2, .weight = "w", .accumulator_scale = "s"};
  model.spec.class_names = {"thing"};
  model.spec.input_size = 8;
  model.spec.graph.nodes = {
      {"images", {}, InputOp{}},
      {"fine", {0}, stem(0.25f)},
      {"coarse", {0}, stem(2.0f)},
      {"half", {2}, SliceOp{.begin = 0, .channels = 2}},
      {"cat", {3, 1, 3}, ConcatOp{}},
      {"one", {4}, head},
      {"other", {4}, head},
      {"heads", {5, 6, 5}, ConcatOp{}},
      {"decode", {7}, DecodeAnchorOp{.classes = 1, .strides = {1}, .anchors = {{1, 1}}}}};
  ASSERT_OK(validate_model(model));
  const auto shared = std::make_shared<const Model>(std::move(model));
  const auto real = dequantized(shared);
  ASSERT_OK(real);
  ASSERT_OK(validate_model(**real));
  EXPECT_FALSE(is_quantized((*real)->spec.graph));
  // Scales of the channels: 2 2 | 1/4 1/4, and 1/4 1/4 | 2 2; of the sums 1/2 and 3.
  const std::vector<float> expected = {0.25f, -0.5f, 6, 254, -1524, 0, 12, 6};
  for (const size_t node : {5u, 6u}) {
    const auto& conv = std::get<ConvOp>((*real)->spec.graph.nodes[node].op);
    const auto values = tensor_to_float((*real)->tensors.at(conv.weight));
    ASSERT_OK(values);
    EXPECT_EQ(*values, expected) << conv.weight;
  }
  EXPECT_EQ((*real)->tensors.at("w.1").data.data(), shared->tensors.at("w.1").data.data());
  const auto again = dequantized(*real);
  ASSERT_OK(again);
  EXPECT_EQ(*again, *real);
}

// 127 x 127 x 147,456 does not fit into 32 bits; 127 x 127 x 131,067 does.
TEST(Quantized, SumsMustFitInto32Bits) {
  for (const int64_t channels : {16384, 14563}) {
    const std::vector<int8_t> weights(static_cast<size_t>(6 * 9 * channels), 127);
    const std::vector<float> stem(static_cast<size_t>(channels * 3), 1.0f);
    const std::vector<float> scales(6, 1.0f);
    const auto bytes = [](const auto& values) { return std::as_bytes(std::span(values)); };
    Model model;
    model.tensors["stem"] = {DType::kF32, {channels, 1, 1, 3}, bytes(stem)};
    model.tensors["w"] = {DType::kI8, {6, 3, 3, channels}, bytes(weights)};
    model.tensors["s"] = {DType::kF32, {6}, bytes(scales)};
    model.spec.class_names = {"thing"};
    model.spec.input_size = 8;
    const ConvOp wide{.out_channels = channels, .weight = "stem", .output_scale = 1.0f};
    const ConvOp head{
        .out_channels = 6, .kernel = 3, .padding = 1, .weight = "w", .accumulator_scale = "s"};
    model.spec.graph.nodes = {
        {"images", {}, InputOp{}},
        {"wide", {0}, wide},
        {"head", {1}, head},
        {"decode", {2}, DecodeAnchorOp{.classes = 1, .strides = {1}, .anchors = {{1, 1}}}}};
    const Status status = validate_model(model);
    if (channels == 14563) {
      EXPECT_OK(status);
    } else {
      testing::expect_refused(status, StatusCode::kCorrupt, "fit into 32 bits");
    }
  }
}

TEST(Quantized, OnlyModelsWithInt8NeedVersion2) {
  const auto has_version = [](const Model& model, const char* version) {
    return testing::header_of(testing::packed(model)).find(version) != std::string::npos;
  };
  EXPECT_TRUE(has_version(testing::small_model(), R"("yolocu.format_version":"1")"));
  EXPECT_TRUE(has_version(testing::int8_model(), R"("yolocu.format_version":"2")"));
}

}  // namespace
}  // namespace yolocu
