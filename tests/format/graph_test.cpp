// Shape rules of every op against sizes worked out by hand, and the refusal of broken graphs.
#include "weights/format/graph.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

ConvOp conv(int64_t out, int64_t kernel = 1, int64_t stride = 1, int64_t padding = 0,
            int64_t groups = 1) {
  return {.out_channels = out,
          .kernel = kernel,
          .stride = stride,
          .padding = padding,
          .groups = groups,
          .weight = "w"};
}

// Input, a stride-2 convolution to 8 channels, then `ops`, each on the previous value.
Graph chain(const std::vector<Op>& ops) {
  Graph graph;
  graph.nodes.push_back({"input", {}, InputOp{}});
  graph.nodes.push_back({"stem", {0}, conv(8, 3, 2, 1)});
  for (const Op& op : ops) {
    const int previous = static_cast<int>(graph.nodes.size()) - 1;
    graph.nodes.push_back({"op", {previous}, op});
  }
  return graph;
}

// Ends `graph` with one-level heads (4 * 2 box bins, 3 classes) on value `from` and a decode.
Graph with_heads(Graph graph, float stride, int from) {
  const int box = static_cast<int>(graph.nodes.size());
  graph.nodes.push_back({"box", {from}, conv(8)});
  graph.nodes.push_back({"cls", {from}, conv(3)});
  graph.nodes.push_back(
      {"decode", {box, box + 1}, DecodeDflOp{.classes = 3, .bins = 2, .strides = {stride}}});
  return graph;
}

Graph small_graph() {
  return with_heads(chain({}), 2, 1);
}

ValueShape shape_of(const Op& op, int64_t stride_after) {
  const Graph graph =
      with_heads(chain({op, conv(8, 3, 1, 1)}), static_cast<float>(stride_after), 3);
  const auto shapes = infer_shapes(graph);
  EXPECT_TRUE(shapes.ok()) << shapes.status().message();
  return shapes.ok() ? (*shapes)[2] : ValueShape{};
}

TEST(Graph, ShapesOfEveryWindowOp) {
  EXPECT_EQ(shape_of(conv(24, 3, 1, 1), 2), (ValueShape{.channels = 24, .extent = {2, 0}}));
  EXPECT_EQ(shape_of(conv(24, 4, 2, 1), 4), (ValueShape{.channels = 24, .extent = {4, 0}}));
  EXPECT_EQ(shape_of(conv(6, 3, 2, 1, 2), 4), (ValueShape{.channels = 6, .extent = {4, 0}}));
  EXPECT_EQ(shape_of(MaxPoolOp{2, 2, 0}, 4), (ValueShape{.channels = 8, .extent = {4, 0}}));
  EXPECT_EQ(shape_of(MaxPoolOp{5, 1, 2}, 2), (ValueShape{.channels = 8, .extent = {2, 0}}));
  EXPECT_EQ(shape_of(MaxPoolOp{3, 2, 1}, 4), (ValueShape{.channels = 8, .extent = {4, 0}}));
  EXPECT_EQ(shape_of(SliceOp{2, 5}, 2), (ValueShape{.channels = 5, .extent = {2, 0}}));
  EXPECT_EQ(shape_of(SpaceToDepthOp{}, 4), (ValueShape{.channels = 32, .extent = {4, 0}}));
  EXPECT_EQ(shape_of(UpsampleOp{2}, 1), (ValueShape{.channels = 8, .extent = {1, 0}}));
}

TEST(Graph, AveragePoolLosesARowAndTheStridedConvolutionAbsorbsIt) {
  const auto shapes = infer_shapes(with_heads(chain({AvgPoolOp{2, 1}, conv(8, 3, 2, 1)}), 4, 3));
  ASSERT_OK(shapes);
  EXPECT_EQ((*shapes)[2].extent, (Extent{2, -1}));
  EXPECT_EQ((*shapes)[2].extent.at(64), 31);
  EXPECT_EQ((*shapes)[3].extent, (Extent{4, 0}));
  EXPECT_EQ((*shapes)[3].extent.at(64), 16);
}

// The symbolic rule must agree with the textbook formula on concrete sizes.
TEST(Graph, SymbolicExtentsAgreeWithConcreteArithmetic) {
  for (int64_t kernel = 1; kernel <= 5; ++kernel) {
    for (int64_t stride = 1; stride <= 3; ++stride) {
      for (int64_t padding = 0; padding <= 3; ++padding) {
        Graph graph = chain({AvgPoolOp{2, 1}, conv(8, kernel, stride, padding)});
        const auto complete = with_heads(graph, 2, 1);
        const auto shapes = infer_shapes(complete);
        ASSERT_OK(shapes);
        for (const int64_t full : {12, 24, 60, 96}) {
          const int64_t in = full / 2 - 1;
          EXPECT_EQ((*shapes)[3].extent.at(full), (in + 2 * padding - kernel) / stride + 1)
              << "kernel " << kernel << " stride " << stride << " padding " << padding;
        }
      }
    }
  }
}

TEST(Graph, ConcatAddAndPredictionCounts) {
  Graph graph = chain({conv(16, 3, 2, 1)});           // value 2 at stride 4
  graph.nodes.push_back({"up", {2}, UpsampleOp{2}});  // value 3 at stride 2
  graph.nodes.push_back({"cat", {1, 3, 1}, ConcatOp{}});
  graph.nodes.push_back({"add", {4, 4}, AddOp{}});
  graph.nodes.push_back({"b0", {5}, conv(64)});
  graph.nodes.push_back({"c0", {5}, conv(7)});
  graph.nodes.push_back({"b1", {2}, conv(64)});
  graph.nodes.push_back({"c1", {2}, conv(7)});
  graph.nodes.push_back(
      {"decode", {6, 7, 8, 9}, DecodeDflOp{.classes = 7, .bins = 16, .strides = {2, 4}}});
  const auto shapes = infer_shapes(graph);
  ASSERT_OK(shapes);
  EXPECT_EQ((*shapes)[4].channels, 32);
  EXPECT_EQ((*shapes)[5], (*shapes)[4]);
  EXPECT_EQ(shapes->back().kind, ValueShape::Kind::kPredictions);
  EXPECT_EQ(shapes->back().channels, 11);
  EXPECT_EQ(graph_stride(*shapes), 4);
  EXPECT_EQ(prediction_count(graph, *shapes, 8, 12), 4 * 6 + 2 * 3);
}

TEST(Graph, AnchorHeads) {
  Graph graph = chain({});
  graph.nodes.push_back({"head", {1}, conv(3 * 7)});
  graph.nodes.push_back(
      {"decode",
       {2},
       DecodeAnchorOp{.classes = 2, .strides = {2}, .anchors = {{10, 13, 16, 30, 33, 23}}}});
  const auto shapes = infer_shapes(graph);
  ASSERT_OK(shapes);
  EXPECT_EQ(shapes->back().channels, 7);
  EXPECT_EQ(prediction_count(graph, *shapes, 8, 4), 3 * 4 * 2);
}

TEST(Graph, ConvolutionCost) {
  // stem 3->8, 3x3 on 2x3 pixels of output; heads 8->8 and 8->3, 1x1.
  const Graph graph = small_graph();
  const auto shapes = infer_shapes(graph);
  ASSERT_OK(shapes);
  EXPECT_EQ(conv_flops(graph, *shapes, 4, 6), 2.0 * 6 * (8 * 27 + 8 * 8 + 8 * 3));
  EXPECT_EQ(conv_weight_shape(conv(6, 3, 1, 1, 2), 8), (std::vector<int64_t>{6, 3, 3, 4}));
}

TEST(Graph, InputSizes) {
  const auto shapes = infer_shapes(small_graph());
  ASSERT_OK(shapes);
  EXPECT_TRUE(check_input_size(*shapes, 2, 640).ok());
  for (const int64_t bad : {int64_t{-2}, int64_t{0}, int64_t{3}, kMaxInputExtent + 2, INT64_MAX}) {
    EXPECT_EQ(check_input_size(*shapes, bad, 64).code(), StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(check_input_size(*shapes, 64, bad).code(), StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_NE(check_input_size(*shapes, 641, 64).message().find("use 640 or 642 instead of 641"),
            std::string::npos);
}

TEST(Graph, InputsAtWhichAMapVanishesAreRefused) {
  const auto shapes = infer_shapes(with_heads(chain({conv(8, 9, 1, 2)}), 2, 1));
  ASSERT_OK(shapes);
  EXPECT_FALSE(check_input_size(*shapes, 8, 64).ok());  // 4 + 4 - 9 + 1 = 0 rows
  EXPECT_TRUE(check_input_size(*shapes, 10, 64).ok());
}

struct Breakage {
  const char* name;
  const char* message;  // must occur in the error
  std::function<void(Graph&)> apply;
};

class BrokenGraph : public ::testing::TestWithParam<Breakage> {};

TEST_P(BrokenGraph, IsRefusedWithItsReason) {
  Graph graph = small_graph();
  ASSERT_OK(infer_shapes(graph));
  GetParam().apply(graph);
  const auto shapes = infer_shapes(graph);
  ASSERT_FALSE(shapes.ok());
  EXPECT_EQ(shapes.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(shapes.status().message().find(GetParam().message), std::string::npos)
      << shapes.status().message();
}

ConvOp& stem(Graph& graph) {
  return std::get<ConvOp>(graph.nodes[1].op);
}
DecodeDflOp& decode(Graph& graph) {
  return std::get<DecodeDflOp>(graph.nodes[4].op);
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenGraph,
    ::testing::Values(
        Breakage{"Empty", "graph of 0 nodes", [](Graph& g) { g.nodes.clear(); }},
        Breakage{"NoInput", "input must be node 0", [](Graph& g) { g.nodes[0].op = ConcatOp{}; }},
        Breakage{"SecondInput", "only node 0",
                 [](Graph& g) {
                   g.nodes[2] = {"again", {}, InputOp{}};
                 }},
        Breakage{"NoDecode", "must be the last", [](Graph& g) { g.nodes.pop_back(); }},
        Breakage{"DecodeTwice", "must be the last",
                 [](Graph& g) { g.nodes.push_back(g.nodes.back()); }},
        Breakage{"ForwardReference", "operand 2 is not an earlier node",
                 [](Graph& g) { g.nodes[1].inputs[0] = 2; }},
        Breakage{"NegativeOperand", "operand -1", [](Graph& g) { g.nodes[1].inputs[0] = -1; }},
        Breakage{"OperandCount", "2 operands, expected 1",
                 [](Graph& g) { g.nodes[2].inputs.push_back(0); }},
        Breakage{"InputChannels", "expected 3, got 4",
                 [](Graph& g) { std::get<InputOp>(g.nodes[0].op).channels = 4; }},
        Breakage{"Kernel", "kernel 0", [](Graph& g) { stem(g).kernel = 0; }},
        Breakage{"Stride", "stride -1", [](Graph& g) { stem(g).stride = -1; }},
        Breakage{"Padding", "padding 1000", [](Graph& g) { stem(g).padding = 1000; }},
        Breakage{"OutChannels", "out_channels 0", [](Graph& g) { stem(g).out_channels = 0; }},
        Breakage{"HugeChannels", "out_channels", [](Graph& g) { stem(g).out_channels = 1 << 20; }},
        Breakage{"Groups", "groups 2 does not divide 3", [](Graph& g) { stem(g).groups = 2; }},
        Breakage{"ZeroGroups", "groups 0", [](Graph& g) { stem(g).groups = 0; }},
        Breakage{"NoWeight", "no weight", [](Graph& g) { stem(g).weight.clear(); }},
        Breakage{"HeadChannels", "expected a head of 3 channels, got 8",
                 [](Graph& g) {
                   std::swap(g.nodes[4].inputs[0], g.nodes[4].inputs[1]);
                   decode(g).bins = 1;
                   decode(g).classes = 3;
                   std::get<ConvOp>(g.nodes[3].op).out_channels = 4;
                 }},
        Breakage{"HeadStride", "expected a head of stride 4",
                 [](Graph& g) { decode(g).strides = {4}; }},
        Breakage{"NoLevels", "operands for 0 strides", [](Graph& g) { decode(g).strides.clear(); }},
        Breakage{"Bins", "bins 0", [](Graph& g) { decode(g).bins = 0; }},
        Breakage{"Classes", "classes 0", [](Graph& g) { decode(g).classes = 0; }},
        Breakage{"Slice", "8 channels from 1 of 8",
                 [](Graph& g) {
                   g.nodes[2].op = SliceOp{1, 8};
                 }},
        Breakage{"SliceOverflow", "of 8",
                 [](Graph& g) {
                   g.nodes[2].op = SliceOp{INT64_MAX - 3, 8};
                 }},
        Breakage{"Upsample", "factor 3", [](Graph& g) { g.nodes[2].op = UpsampleOp{3}; }},
        Breakage{"PoolPadding", "padding 2", [](Graph& g) { g.nodes[2].op = MaxPoolOp{3, 1, 2}; }},
        Breakage{"AddMismatch", "operand 1 has 3 channels",
                 [](Graph& g) { g.nodes[2] = {"sum", {1, 0}, AddOp{}}; }},
        Breakage{"ConcatMismatch", "operand 1 has stride 1",
                 [](Graph& g) { g.nodes[2] = {"cat", {1, 0}, ConcatOp{}}; }}),
    [](const auto& test) { return test.param.name; });

TEST(Graph, ManyCoprimeStridesAreRefusedBeforeTheirProductOverflows) {
  Graph graph;
  graph.nodes.push_back({"input", {}, InputOp{}});
  for (const int64_t stride : {2, 3, 5, 7, 11, 13}) {
    graph.nodes.push_back({"conv", {0}, conv(8, 1, stride)});
  }
  const auto shapes = infer_shapes(with_heads(graph, 1, 0));
  ASSERT_FALSE(shapes.ok());
  EXPECT_NE(shapes.status().message().find("total stride"), std::string::npos);
}

}  // namespace
}  // namespace yolocu
