#include "weights/format/graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

using Shapes = std::vector<ValueShape>;

bool is_decode(const Op& op) {
  return std::holds_alternative<DecodeDflOp>(op) || std::holds_alternative<DecodeAnchorOp>(op);
}

// The rules between nodes, then the shape.
Result<ValueShape> infer_node(const Graph& graph, size_t number, const Shapes& known) {
  const Node& node = graph.nodes[number];
  const bool last = number + 1 == graph.nodes.size();
  if (std::holds_alternative<InputOp>(node.op) != (number == 0)) {
    return invalid_argument("the input must be node 0, and only node 0");
  }
  if (is_decode(node.op) != last) {
    return invalid_argument("a decode op must be the last node, and only the last");
  }
  Shapes operands;
  for (const int value : node.inputs) {
    if (value < 0 || static_cast<size_t>(value) >= number) {
      return invalid_argument(str_cat("operand ", value, " is not an earlier node"));
    }
    operands.push_back(known[static_cast<size_t>(value)]);
  }
  return infer_shape(node.op, operands);
}

// Channels a convolution reads: those of its only operand.
int64_t conv_in_channels(const Node& node, const Shapes& shapes) {
  return shapes[static_cast<size_t>(node.inputs[0])].channels;
}

}  // namespace

std::string_view activation_name(Activation activation) {
  switch (activation) {
    case Activation::kNone: return "none";
    case Activation::kSilu: return "silu";
    case Activation::kLeakyRelu: return "leaky_relu";
    case Activation::kRelu: return "relu";
  }
  return "?";
}

std::string_view op_name(const Op& op) {
  constexpr std::array<std::string_view, std::variant_size_v<Op>> kNames{
      "input", "conv",  "max_pool",       "avg_pool",   "upsample",     "concat",
      "add",   "slice", "space_to_depth", "decode_dfl", "decode_anchor"};
  return kNames[op.index()];
}

Result<std::vector<ValueShape>> infer_shapes(const Graph& graph) {
  if (graph.nodes.size() < 2 || graph.nodes.size() > static_cast<size_t>(kMaxNodes)) {
    return invalid_argument(
        str_cat("graph of ", graph.nodes.size(), " nodes, expected 2 to ", kMaxNodes));
  }
  Shapes shapes;
  int64_t total_stride = 1;
  shapes.reserve(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Result<ValueShape> shape = infer_node(graph, i, shapes);
    if (!shape.ok()) {
      const Node& node = graph.nodes[i];
      return shape.status().with_context(
          str_cat("node ", i, " '", node.name, "' (", op_name(node.op), ")"));
    }
    shapes.push_back(*shape);
    total_stride = std::lcm(total_stride, shape->extent.divisor);
    if (total_stride > kMaxTotalStride)
      return invalid_argument(str_cat("total stride ", total_stride));
  }
  return shapes;
}

int64_t graph_stride(const std::vector<ValueShape>& shapes) {
  int64_t stride = 1;
  for (const ValueShape& shape : shapes) stride = std::lcm(stride, shape.extent.divisor);
  return stride;
}

Status check_input_size(const std::vector<ValueShape>& shapes, int64_t height, int64_t width) {
  const int64_t stride = graph_stride(shapes);
  for (const int64_t extent : {height, width}) {
    if (extent < 1 || extent > kMaxInputExtent || extent % stride != 0) {
      const int64_t below = std::max(stride, std::min(extent, kMaxInputExtent) / stride * stride);
      return invalid_argument(str_cat(
          "input size ", width, "x", height, " is not a positive multiple of ", stride, " up to ",
          kMaxInputExtent, ": use ", below, " or ", below + stride, " instead of ", extent));
    }
    for (const ValueShape& shape : shapes) {
      if (shape.extent.at(extent) < 1) {
        return invalid_argument(str_cat("input size ", width, "x", height,
                                        " is too small: a feature map would be empty"));
      }
    }
  }
  return {};
}

int64_t prediction_count(const Graph& graph, const std::vector<ValueShape>& shapes, int64_t height,
                         int64_t width) {
  const Node& last = graph.nodes.back();
  const auto* anchored = std::get_if<DecodeAnchorOp>(&last.op);
  const size_t inputs_per_level = anchored != nullptr ? 1 : 2;
  int64_t count = 0;
  for (size_t i = 0; i < last.inputs.size(); i += inputs_per_level) {
    const Extent extent = shapes[static_cast<size_t>(last.inputs[i])].extent;
    const int64_t per_cell =
        anchored != nullptr ? static_cast<int64_t>(anchored->anchors[i].size() / 2) : 1;
    count += extent.at(height) * extent.at(width) * per_cell;
  }
  return count;
}

std::vector<int64_t> conv_weight_shape(const ConvOp& conv, int64_t in_channels) {
  return {conv.out_channels, conv.kernel, conv.kernel, in_channels / conv.groups};
}

double conv_node_flops(const Graph& graph, const std::vector<ValueShape>& shapes, size_t node,
                       int64_t height, int64_t width) {
  const auto* conv = std::get_if<ConvOp>(&graph.nodes[node].op);
  if (conv == nullptr) return 0;
  const int64_t in_channels = conv_in_channels(graph.nodes[node], shapes);
  const double pixels = static_cast<double>(shapes[node].extent.at(height)) *
                        static_cast<double>(shapes[node].extent.at(width));
  return 2.0 * pixels * static_cast<double>(conv->out_channels) *
         static_cast<double>(conv->kernel * conv->kernel * (in_channels / conv->groups));
}

double conv_flops(const Graph& graph, const std::vector<ValueShape>& shapes, int64_t height,
                  int64_t width) {
  double flops = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    flops += conv_node_flops(graph, shapes, i, height, width);
  }
  return flops;
}

}  // namespace yolocu
