// An ONNX model that is being written: operators in order of execution, constants, one input, one
// output. Values are named by strings, as ONNX has it; shapes are static.
// Source: onnx.proto of IR version 8 and the operators of opset 17, https://onnx.ai/onnx
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "weights/export/protobuf_writer.h"

namespace yolocu {

using Dims = std::vector<int64_t>;

// Attributes of one operator.
class OnnxAttributes {
 public:
  OnnxAttributes& integer(const char* name, int64_t value);
  OnnxAttributes& integers(const char* name, const Dims& values);
  OnnxAttributes& number(const char* name, float value);
  OnnxAttributes& text(const char* name, const char* value);

  // As fields of a NodeProto.
  const ProtobufWriter& fields() const { return fields_; }

 private:
  void add(const char* name, int64_t type, ProtobufWriter value);

  ProtobufWriter fields_;
};

// The message is valid once the nodes between input and output are there. Callers give the shapes
// that operators need; nothing here infers or checks them.
class OnnxGraph {
 public:
  // Appends an operator with one output and returns the output's name, which is `output` or, if
  // that is empty, a new one. Inputs that are left out are empty strings.
  std::string add(const char* op, const std::vector<std::string>& inputs,
                  const OnnxAttributes& attributes = {}, const std::string& output = "");
  // Split along `axis` into parts of these sizes.
  std::vector<std::string> split(const std::string& input, int64_t axis, const Dims& sizes);
  std::string reshape(const std::string& input, const Dims& dims, const std::string& output = "");

  // Constants, f32 or int64; `values` fill `dims`. Return the name.
  std::string constant(const Dims& dims, std::span<const float> values);
  std::string constant(const Dims& values);  // one-dimensional int64
  // A constant of that name, the first time it is asked for: tells whether it has to be written.
  bool is_new(const std::string& name) { return named_.insert(name).second; }
  void named_constant(const std::string& name, const Dims& dims, std::span<const float> values);

  // Operators from here on are of this node of the network: part of their names.
  void begin_node(std::string name) { node_ = std::move(name); }

  // The whole file. f32 input and output with these names and shapes.
  std::string model(const std::string& input, const Dims& input_dims, const std::string& output,
                    const Dims& output_dims, const std::string& graph_name) const;

 private:
  std::string new_name(const char* prefix);
  void add_node(const char* op, const std::vector<std::string>& inputs,
                const std::vector<std::string>& outputs, const OnnxAttributes& attributes);

  ProtobufWriter graph_;  // GraphProto's nodes and initializers
  std::set<std::string> named_;
  std::string node_;
  int64_t names_ = 0;
};

}  // namespace yolocu
