#include "weights/export/onnx_export.h"

#include <limits>
#include <variant>
#include <vector>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "weights/export/onnx_graph.h"
#include "weights/export/onnx_heads.h"

namespace yolocu {
namespace {

constexpr const char* kInput = "images";
constexpr const char* kOutput = "predictions";

// [K,R,S,C] -> [K,C,R,S]
std::vector<float> to_oihw(std::span<const float> ohwi, const std::vector<int64_t>& shape) {
  const int64_t pixels = shape[1] * shape[2], channels = shape[3];
  std::vector<float> oihw;
  oihw.reserve(ohwi.size());
  for (int64_t k = 0; k < shape[0]; ++k) {
    const float* filter = ohwi.data() + k * pixels * channels;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p) oihw.push_back(filter[p * channels + c]);
    }
  }
  return oihw;
}

class Exporter {
 public:
  Exporter(const Model& model, const OnnxExportOptions& options, std::vector<ValueShape> shapes)
      : model_(model), options_(options), shapes_(std::move(shapes)) {}

  Result<OnnxFile> run() {
    const std::vector<Node>& nodes = model_.spec.graph.nodes;
    values_.push_back(kInput);
    for (size_t i = 1; i < nodes.size(); ++i) {
      graph_.begin_node(str_cat(i, ":", nodes[i].name));
      YOLOCU_RETURN_IF_ERROR(visit(i));
    }
    OnnxFile file;
    file.height = options_.height;
    file.width = options_.width;
    file.anchors = prediction_count(model_.spec.graph, shapes_, options_.height, options_.width);
    file.row = 4 + class_count(model_.spec);
    const std::string& name = model_.spec.architecture;
    file.bytes = graph_.model(
        kInput, {options_.batch, shapes_[0].channels, file.height, file.width}, kOutput,
        {options_.batch, file.anchors, file.row}, name.empty() ? "network" : name);
    return file;
  }

 private:
  const Node& node(size_t i) const { return model_.spec.graph.nodes[i]; }
  const std::string& input(size_t i, size_t operand = 0) const {
    return values_[static_cast<size_t>(node(i).inputs[operand])];
  }
  std::vector<std::string> inputs(size_t i) const {
    std::vector<std::string> names;
    for (const int value : node(i).inputs) names.push_back(values_[static_cast<size_t>(value)]);
    return names;
  }

  // Writes the tensor the first time it is asked for.
  Result<std::string> tensor(const std::string& name) {
    const std::string constant = "tensor/" + name;
    if (!graph_.is_new(constant)) return constant;
    const TensorView& view = model_.tensors.find(name)->second;
    YOLOCU_ASSIGN_OR_RETURN(const std::vector<float> values, tensor_to_float(view));
    const std::vector<int64_t>& s = view.shape;
    if (s.size() == 4) {
      graph_.named_constant(constant, {s[0], s[3], s[1], s[2]}, to_oihw(values, s));
    } else {
      graph_.named_constant(constant, s, values);
    }
    return constant;
  }

  std::string activate(const std::string& x, const ConvOp& conv) {
    switch (conv.activation) {
      case Activation::kNone: return x;
      case Activation::kSilu: return graph_.add("Mul", {x, graph_.add("Sigmoid", {x})});
      case Activation::kLeakyRelu:
        return graph_.add("LeakyRelu", {x}, OnnxAttributes().number("alpha", conv.negative_slope));
      case Activation::kRelu: return graph_.add("Relu", {x});
    }
    return x;
  }

  Result<std::string> convolution(size_t i, const ConvOp& conv) {
    YOLOCU_ASSIGN_OR_RETURN(const std::string weight, tensor(conv.weight));
    std::vector<std::string> operands = {input(i), weight};
    if (!conv.bias.empty()) {
      YOLOCU_ASSIGN_OR_RETURN(const std::string bias, tensor(conv.bias));
      operands.push_back(bias);
    }
    const OnnxAttributes attributes =
        window(conv.kernel, conv.stride, conv.padding).integer("group", conv.groups);
    return activate(graph_.add("Conv", operands, attributes), conv);
  }

  static OnnxAttributes window(int64_t kernel, int64_t stride, int64_t padding) {
    return OnnxAttributes()
        .integers("kernel_shape", {kernel, kernel})
        .integers("strides", {stride, stride})
        .integers("pads", Dims(4, padding));
  }

  std::string upsample(size_t i, const UpsampleOp& op) {
    const auto factor = static_cast<float>(op.factor);
    const std::vector<float> scales = {1, 1, factor, factor};
    return graph_.add("Resize", {input(i), "", graph_.constant({4}, scales)},
                      OnnxAttributes()
                          .text("mode", "nearest")
                          .text("coordinate_transformation_mode", "asymmetric")
                          .text("nearest_mode", "floor"));
  }

  std::string sum(size_t i) {
    std::string value = input(i);
    for (size_t t = 1; t < node(i).inputs.size(); ++t) {
      value = graph_.add("Add", {value, input(i, t)});
    }
    return value;
  }

  std::string slice(size_t i, const SliceOp& op) {
    return graph_.add("Slice", {input(i), graph_.constant({op.begin}),
                                graph_.constant({op.begin + op.channels}), graph_.constant({1})});
  }

  std::string space_to_depth(size_t i) {
    constexpr int64_t kEnd = std::numeric_limits<int32_t>::max();
    std::vector<std::string> blocks;
    for (const int64_t column : {0, 1}) {
      for (const int64_t row : {0, 1}) {
        blocks.push_back(graph_.add(
            "Slice", {input(i), graph_.constant({row, column}), graph_.constant({kEnd, kEnd}),
                      graph_.constant({2, 3}), graph_.constant({2, 2})}));
      }
    }
    return graph_.add("Concat", blocks, OnnxAttributes().integer("axis", 1));
  }

  std::vector<OnnxMap> heads(size_t i) const {
    std::vector<OnnxMap> maps;
    for (const int value : node(i).inputs) {
      const ValueShape& shape = shapes_[static_cast<size_t>(value)];
      maps.push_back({values_[static_cast<size_t>(value)], shape.channels,
                      shape.extent.at(options_.height), shape.extent.at(options_.width)});
    }
    return maps;
  }

  static_assert(std::variant_size_v<Op> == 11, "a new op needs its operators in value()");

  // The name of value i, whose operators have been added.
  Result<std::string> value(size_t i) {
    const Op& op = node(i).op;
    if (const auto* conv = std::get_if<ConvOp>(&op)) return convolution(i, *conv);
    if (const auto* max = std::get_if<MaxPoolOp>(&op)) {
      return graph_.add("MaxPool", {input(i)}, window(max->kernel, max->stride, max->padding));
    }
    if (const auto* mean = std::get_if<AvgPoolOp>(&op)) {
      return graph_.add("AveragePool", {input(i)}, window(mean->kernel, mean->stride, 0));
    }
    if (const auto* up = std::get_if<UpsampleOp>(&op)) return upsample(i, *up);
    if (std::holds_alternative<ConcatOp>(op)) {
      return graph_.add("Concat", inputs(i), OnnxAttributes().integer("axis", 1));
    }
    if (std::holds_alternative<AddOp>(op)) return sum(i);
    if (const auto* part = std::get_if<SliceOp>(&op)) return slice(i, *part);
    if (std::holds_alternative<SpaceToDepthOp>(op)) return space_to_depth(i);
    if (const auto* dfl = std::get_if<DecodeDflOp>(&op)) {
      add_decode_dfl(graph_, *dfl, heads(i), options_.batch, kOutput);
    } else {
      add_decode_anchor(graph_, std::get<DecodeAnchorOp>(op), heads(i), options_.batch, kOutput);
    }
    return std::string(kOutput);
  }

  Status visit(size_t i) {
    YOLOCU_ASSIGN_OR_RETURN(std::string name, value(i));
    values_.push_back(std::move(name));
    return {};
  }

  const Model& model_;
  OnnxExportOptions options_;
  std::vector<ValueShape> shapes_;
  OnnxGraph graph_;
  std::vector<std::string> values_;  // by node: the ONNX name of its value
};

// Weights and biases as fp32, anchor points, and 1 MiB for the rest, which is text.
double file_bytes(const Model& model, int64_t anchors) {
  double elements = 4 * static_cast<double>(anchors);
  for (const Node& node : model.spec.graph.nodes) {
    const auto* conv = std::get_if<ConvOp>(&node.op);
    if (conv == nullptr) continue;
    for (const std::string& name : {conv->weight, conv->bias}) {
      const auto found = model.tensors.find(name);
      if (found == model.tensors.end()) continue;
      elements += static_cast<double>(checked_element_count(found->second.shape).value_or(0));
    }
  }
  return 4 * elements + (1 << 20);
}

}  // namespace

Result<OnnxFile> export_onnx(const Model& model, const OnnxExportOptions& options) {
  constexpr int64_t kMaxBatch = 65536;  // as create_executor
  if (options.batch < 1 || options.batch > kMaxBatch) {
    return invalid_argument(str_cat("batch ", options.batch, " is not in 1..", kMaxBatch));
  }
  OnnxExportOptions resolved = options;
  if (resolved.height == 0) resolved.height = model.spec.input_size;
  if (resolved.width == 0) resolved.width = model.spec.input_size;
  YOLOCU_ASSIGN_OR_RETURN(std::vector<ValueShape> shapes, infer_shapes(model.spec.graph));
  YOLOCU_RETURN_IF_ERROR(check_input_size(shapes, resolved.height, resolved.width));
  const int64_t anchors =
      prediction_count(model.spec.graph, shapes, resolved.height, resolved.width);
  if (file_bytes(model, anchors) > static_cast<double>(kMaxOnnxBytes)) {
    return resource_exhausted(
        str_cat("the ONNX file would be larger than its limit of ", kMaxOnnxBytes, " bytes"));
  }
  return Exporter(model, resolved, std::move(shapes)).run();
}

}  // namespace yolocu
