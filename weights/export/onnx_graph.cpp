#include "weights/export/onnx_graph.h"

#include <bit>
#include <string_view>
#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr int64_t kIrVersion = 8;  // the one of opset 17
constexpr int64_t kOpset = 17;

// Field numbers of onnx.proto.
namespace model_field {
constexpr int kIrVersion = 1, kProducer = 2, kGraph = 7, kOpsetImport = 8;
}
namespace opset_field {
constexpr int kVersion = 2;
}
namespace graph_field {
constexpr int kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12;
}
namespace node_field {
constexpr int kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5;
}
namespace attribute_field {
constexpr int kName = 1, kFloat = 2, kInt = 3, kString = 4, kInts = 8, kType = 20;
}
namespace tensor_field {
constexpr int kDims = 1, kDataType = 2, kName = 8, kRawData = 9;
}
namespace value_field {
constexpr int kName = 1, kType = 2;          // ValueInfoProto
constexpr int kTensorType = 1;               // TypeProto
constexpr int kElementType = 1, kShape = 2;  // TypeProto.Tensor
constexpr int kDim = 1, kDimValue = 1;       // TensorShapeProto and its Dimension
}  // namespace value_field

enum AttributeType : int64_t { kFloatType = 1, kIntType = 2, kStringType = 3, kIntsType = 7 };
enum class ElementType : int64_t { kFloat = 1, kInt64 = 7 };

// raw_data is little-endian whatever the machine.
template <typename T>
std::string_view raw_data(std::span<const T> values) {
  static_assert(std::endian::native == std::endian::little, "raw_data would need swapped bytes");
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

ProtobufWriter tensor_message(const std::string& name, const Dims& dims, ElementType type,
                              std::string_view data) {
  ProtobufWriter message;
  for (const int64_t extent : dims) message.integer(tensor_field::kDims, extent);
  message.integer(tensor_field::kDataType, static_cast<int64_t>(type));
  message.bytes(tensor_field::kName, name);
  message.bytes(tensor_field::kRawData, data);
  return message;
}

ProtobufWriter value_message(const std::string& name, const Dims& dims) {
  ProtobufWriter shape, tensor, type, value;
  for (const int64_t extent : dims) {
    ProtobufWriter dimension;
    dimension.integer(value_field::kDimValue, extent);
    shape.message(value_field::kDim, dimension);
  }
  tensor.integer(value_field::kElementType, static_cast<int64_t>(ElementType::kFloat));
  tensor.message(value_field::kShape, shape);
  type.message(value_field::kTensorType, tensor);
  value.bytes(value_field::kName, name);
  value.message(value_field::kType, type);
  return value;
}

}  // namespace

void OnnxAttributes::add(const char* name, int64_t type, ProtobufWriter value) {
  value.bytes(attribute_field::kName, name);
  value.integer(attribute_field::kType, type);
  fields_.message(node_field::kAttribute, value);
}

OnnxAttributes& OnnxAttributes::integer(const char* name, int64_t value) {
  ProtobufWriter message;
  message.integer(attribute_field::kInt, value);
  add(name, kIntType, std::move(message));
  return *this;
}

OnnxAttributes& OnnxAttributes::integers(const char* name, const Dims& values) {
  ProtobufWriter message;
  // Not packed: onnx.proto is proto2.
  for (const int64_t value : values) message.integer(attribute_field::kInts, value);
  add(name, kIntsType, std::move(message));
  return *this;
}

OnnxAttributes& OnnxAttributes::number(const char* name, float value) {
  ProtobufWriter message;
  message.number(attribute_field::kFloat, value);
  add(name, kFloatType, std::move(message));
  return *this;
}

OnnxAttributes& OnnxAttributes::text(const char* name, const char* value) {
  ProtobufWriter message;
  message.bytes(attribute_field::kString, value);
  add(name, kStringType, std::move(message));
  return *this;
}

std::string OnnxGraph::new_name(const char* prefix) {
  return str_cat(prefix, "/", names_++);
}

void OnnxGraph::add_node(const char* op, const std::vector<std::string>& inputs,
                         const std::vector<std::string>& outputs,
                         const OnnxAttributes& attributes) {
  ProtobufWriter node;
  for (const std::string& input : inputs) node.bytes(node_field::kInput, input);
  for (const std::string& output : outputs) node.bytes(node_field::kOutput, output);
  node.bytes(node_field::kName, str_cat(node_, "/", op, "/", outputs[0]));
  node.bytes(node_field::kOpType, op);
  node.append(attributes.fields());
  graph_.message(graph_field::kNode, node);
}

std::string OnnxGraph::add(const char* op, const std::vector<std::string>& inputs,
                           const OnnxAttributes& attributes, const std::string& output) {
  const std::string name = output.empty() ? new_name("value") : output;
  add_node(op, inputs, {name}, attributes);
  return name;
}

std::vector<std::string> OnnxGraph::split(const std::string& input, int64_t axis,
                                          const Dims& sizes) {
  std::vector<std::string> outputs;
  for (size_t i = 0; i < sizes.size(); ++i) outputs.push_back(new_name("value"));
  add_node("Split", {input, constant(sizes)}, outputs, OnnxAttributes().integer("axis", axis));
  return outputs;
}

std::string OnnxGraph::reshape(const std::string& input, const Dims& dims,
                               const std::string& output) {
  return add("Reshape", {input, constant(dims)}, {}, output);
}

std::string OnnxGraph::constant(const Dims& dims, std::span<const float> values) {
  const std::string name = new_name("constant");
  named_constant(name, dims, values);
  return name;
}

std::string OnnxGraph::constant(const Dims& values) {
  const std::string name = new_name("constant");
  graph_.message(graph_field::kInitializer,
                 tensor_message(name, {static_cast<int64_t>(values.size())}, ElementType::kInt64,
                                raw_data(std::span(values))));
  return name;
}

void OnnxGraph::named_constant(const std::string& name, const Dims& dims,
                               std::span<const float> values) {
  graph_.message(graph_field::kInitializer,
                 tensor_message(name, dims, ElementType::kFloat, raw_data(values)));
}

std::string OnnxGraph::model(const std::string& input, const Dims& input_dims,
                             const std::string& output, const Dims& output_dims,
                             const std::string& graph_name) const {
  ProtobufWriter graph = graph_, opset, model;
  graph.bytes(graph_field::kName, graph_name);
  graph.message(graph_field::kInput, value_message(input, input_dims));
  graph.message(graph_field::kOutput, value_message(output, output_dims));
  opset.integer(opset_field::kVersion, kOpset);  // of the default domain
  model.integer(model_field::kIrVersion, kIrVersion);
  model.bytes(model_field::kProducer, "yolocu");
  model.message(model_field::kGraph, graph);
  model.message(model_field::kOpsetImport, opset);
  return model.text();
}

}  // namespace yolocu
