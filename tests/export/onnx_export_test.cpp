// What an exported file holds, read back by field numbers of onnx.proto. That the numbers come out
// right is for onnx_runtime_test.py to show.
#include "weights/export/onnx_export.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/export/wire_reader.h"
#include "tests/format/small_model.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::WireMessage;
using testing::WireReader;

struct Exported {
  OnnxFile file;
  WireMessage model, graph;
};

Exported exported(const Model& model, const OnnxExportOptions& options) {
  Exported result;
  auto file = export_onnx(model, options);
  EXPECT_TRUE(file.ok()) << file.status().message();
  if (!file.ok()) return result;
  result.file = *std::move(file);
  result.model = WireReader(result.file.bytes).read();
  result.graph = result.model.message(7);
  return result;
}

// Extents of a ValueInfoProto.
std::vector<int64_t> dims_of(const WireMessage& value) {
  const WireMessage tensor = value.message(2).message(1);
  EXPECT_EQ(tensor.integer(1), 1);  // FLOAT
  std::vector<int64_t> dims;
  for (const WireMessage& dim : tensor.message(2).messages(1)) dims.push_back(dim.integer(1));
  return dims;
}

std::map<std::string, int> operators(const WireMessage& graph) {
  std::map<std::string, int> counts;
  for (const WireMessage& node : graph.messages(1)) ++counts[node.text(4)];
  return counts;
}

// Each value is made once, before it is read; constants have the bytes of their shape.
void expect_sound(const WireMessage& graph) {
  std::set<std::string> known = {graph.message(11).text(1)};
  for (const WireMessage& tensor : graph.messages(5)) {
    EXPECT_TRUE(known.insert(tensor.text(8)).second) << tensor.text(8);
    size_t bytes = tensor.integer(2) == 1 ? 4 : 8;  // FLOAT, INT64
    for (const int64_t extent : tensor.integers.at(1)) bytes *= static_cast<size_t>(extent);
    EXPECT_EQ(tensor.text(9).size(), bytes) << tensor.text(8);
  }
  std::set<std::string> names;
  for (const WireMessage& node : graph.messages(1)) {
    for (const std::string& input : node.texts(1)) {
      EXPECT_TRUE(input.empty() || known.contains(input)) << node.text(3) << " reads " << input;
    }
    for (const std::string& output : node.texts(2)) EXPECT_TRUE(known.insert(output).second);
    EXPECT_TRUE(names.insert(node.text(3)).second) << node.text(3);
  }
  EXPECT_TRUE(known.contains(graph.message(12).text(1)));
}

TEST(ExportOnnx, SaysWhatItIs) {
  const Exported e = exported(testing::small_model(), {.batch = 3, .height = 32, .width = 48});
  EXPECT_EQ(e.model.integer(1), 8);  // IR version
  EXPECT_EQ(e.model.message(8).integer(2), 17);
  EXPECT_EQ(e.model.text(2), "yolocu");
  EXPECT_EQ(e.graph.text(2), "tiny");
  EXPECT_EQ(e.graph.message(11).text(1), "images");
  EXPECT_EQ(dims_of(e.graph.message(11)), (std::vector<int64_t>{3, 3, 32, 48}));
  EXPECT_EQ(e.graph.message(12).text(1), "predictions");
  EXPECT_EQ(dims_of(e.graph.message(12)), (std::vector<int64_t>{3, 16 * 24, 6}));
  EXPECT_EQ(e.file.anchors, 16 * 24);
  EXPECT_EQ(e.file.row, 6);
}

TEST(ExportOnnx, EveryOpIsThere) {
  const Exported e = exported(testing::every_op_model(), {});
  expect_sound(e.graph);
  const std::map<std::string, int> counts = operators(e.graph);
  EXPECT_EQ(counts.at("Conv"), 4);
  EXPECT_EQ(counts.at("LeakyRelu"), 2);
  EXPECT_EQ(counts.at("Relu"), 1);
  EXPECT_EQ(counts.at("MaxPool"), 1);
  EXPECT_EQ(counts.at("AveragePool"), 1);
  EXPECT_EQ(counts.at("Resize"), 1);
  EXPECT_EQ(counts.at("Slice"), 4 + 1);  // space to depth, slice
  EXPECT_EQ(counts.at("Sigmoid"), 1);
  EXPECT_EQ(dims_of(e.graph.message(12)).back(), 4 + 1);  // objectness is in the score
}

TEST(ExportOnnx, DflHeadsAreSound) {
  const Exported e = exported(testing::small_model(), {});
  expect_sound(e.graph);
  const std::map<std::string, int> counts = operators(e.graph);
  EXPECT_EQ(counts.at("Conv"), 3 + 1);  // and the expected bins
  EXPECT_EQ(counts.at("Softmax"), 1);
  EXPECT_EQ(counts.at("Sigmoid"), 1 + 1);  // SiLU and scores
}

WireMessage constant(const WireMessage& graph, const std::string& name) {
  for (const WireMessage& tensor : graph.messages(5)) {
    if (tensor.text(8) == name) return tensor;
  }
  ADD_FAILURE() << "no constant " << name;
  return {};
}

TEST(ExportOnnx, WeightsAreOihwInFp32) {
  const Model model = testing::small_model();
  const Exported e = exported(model, {});
  const WireMessage stem = constant(e.graph, "tensor/stem.w");
  EXPECT_EQ(stem.integers.at(1), (std::vector<int64_t>{4, 3, 3, 3}));
  const std::string data = stem.text(9);
  const auto stored = tensor_to_float(model.tensors.at("stem.w"));
  ASSERT_OK(stored);
  for (size_t k = 0; k < 4; ++k) {
    for (size_t r = 0; r < 3; ++r) {
      for (size_t s = 0; s < 3; ++s) {
        for (size_t c = 0; c < 3; ++c) {
          const size_t at = ((k * 3 + c) * 3 + r) * 3 + s, from = ((k * 3 + r) * 3 + s) * 3 + c;
          EXPECT_EQ(std::memcmp(data.data() + 4 * at, &(*stored)[from], 4), 0) << at;
        }
      }
    }
  }
}

TEST(ExportOnnx, SharedWeightsAreWrittenOnce) {
  const Exported e = exported(testing::every_op_model(), {});
  int twins = 0;
  for (const WireMessage& tensor : e.graph.messages(5)) twins += tensor.text(8) == "tensor/twin.w";
  EXPECT_EQ(twins, 1);
}

TEST(ExportOnnx, ConvolutionsKeepTheirAttributes) {
  const Exported e = exported(testing::every_op_model(), {});
  for (const WireMessage& node : e.graph.messages(1)) {
    if (node.text(4) != "Conv" || node.texts(1)[1] != "tensor/twin.w") continue;
    std::map<std::string, WireMessage> attributes;
    for (const WireMessage& attribute : node.messages(5)) {
      attributes[attribute.text(1)] = attribute;
    }
    EXPECT_EQ(attributes.at("group").integer(3), 4);
    EXPECT_EQ(attributes.at("group").integer(20), 2);  // INT
    EXPECT_EQ(attributes.at("pads").integers.at(8), (std::vector<int64_t>{1, 1, 1, 1}));
    EXPECT_EQ(attributes.at("kernel_shape").integers.at(8), (std::vector<int64_t>{3, 3}));
    EXPECT_EQ(attributes.at("strides").integer(20), 7);  // INTS
    return;
  }
  FAIL() << "no convolution has the weight twin.w";
}

TEST(ExportOnnx, RefusesWhatCannotBe) {
  const Model model = testing::small_model();
  EXPECT_EQ(export_onnx(model, {.batch = 0}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(export_onnx(model, {.height = 33, .width = 32}).status().code(),
            StatusCode::kInvalidArgument);
  Model huge = testing::small_model();
  huge.tensors.at("stem.w").shape = {1 << 15, 1 << 15, 1, 1};
  EXPECT_EQ(export_onnx(huge, {}).status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace yolocu
