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

constexpr int64_t kMaxChannels = 65536;
constexpr int64_t kMaxKernel = 64;
constexpr int64_t kMaxDivisor = 1024;

using Shapes = std::vector<ValueShape>;

bool in_range(int64_t value, int64_t low, int64_t high) { return low <= value && value <= high; }

ValueShape feature_map(int64_t channels, Extent extent) {
  return {ValueShape::Kind::kFeatureMap, channels, extent};
}

// (in + 2 padding - kernel) / stride + 1 for every `in` = full / divisor + offset with `full` a
// multiple of divisor * stride; the division rounds down.
Result<Extent> window_extent(Extent in, int64_t kernel, int64_t stride, int64_t padding) {
  const int64_t divisor = in.divisor * stride;
  if (divisor > kMaxDivisor) return invalid_argument(str_cat("total stride ", divisor));
  const int64_t numerator = in.offset + 2 * padding - kernel;
  const int64_t floored = numerator >= 0 ? numerator / stride : -((-numerator + stride - 1) / stride);
  const Extent out{divisor, floored + 1};
  // Whether the map vanishes depends on the input size: check_input_size looks at that.
  if (!in_range(out.offset, -kMaxKernel, kMaxKernel)) {
    return invalid_argument(str_cat("extent H/", divisor, " + ", out.offset));
  }
  return out;
}

// One shape rule per op. `in` holds the operands' shapes, all feature maps.
struct ShapeRule {
  std::span<const ValueShape> in;

  Result<ValueShape> operator()(const InputOp& op) const {
    if (op.channels != 3) return invalid_argument(str_cat("channels: expected 3, got ", op.channels));
    return feature_map(op.channels, {});
  }

  Result<ValueShape> operator()(const ConvOp& op) const {
    if (!in_range(op.kernel, 1, kMaxKernel) || !in_range(op.stride, 1, kMaxKernel) ||
        !in_range(op.padding, 0, kMaxKernel)) {
      return invalid_argument(str_cat("kernel ", op.kernel, ", stride ", op.stride, ", padding ",
                                      op.padding, " out of range"));
    }
    if (!in_range(op.out_channels, 1, kMaxChannels)) {
      return invalid_argument(str_cat("out_channels ", op.out_channels, " out of range"));
    }
    if (op.groups < 1 || in[0].channels % op.groups != 0 || op.out_channels % op.groups != 0) {
      return invalid_argument(str_cat("groups ", op.groups, " does not divide ", in[0].channels,
                                      " input and ", op.out_channels, " output channels"));
    }
    if (op.weight.empty()) return invalid_argument("no weight tensor");
    if (!std::isfinite(op.negative_slope)) return invalid_argument("negative_slope is not finite");
    YOLOCU_ASSIGN_OR_RETURN(const Extent extent,
                            window_extent(in[0].extent, op.kernel, op.stride, op.padding));
    return feature_map(op.out_channels, extent);
  }

  Result<ValueShape> operator()(const MaxPoolOp& op) const {
    if (!in_range(op.kernel, 1, kMaxKernel) || !in_range(op.stride, 1, kMaxKernel) ||
        !in_range(op.padding, 0, op.kernel / 2)) {
      return invalid_argument(str_cat("kernel ", op.kernel, ", stride ", op.stride, ", padding ",
                                      op.padding, " out of range"));
    }
    YOLOCU_ASSIGN_OR_RETURN(const Extent extent,
                            window_extent(in[0].extent, op.kernel, op.stride, op.padding));
    return feature_map(in[0].channels, extent);
  }

  Result<ValueShape> operator()(const AvgPoolOp& op) const {
    if (!in_range(op.kernel, 1, kMaxKernel) || !in_range(op.stride, 1, kMaxKernel)) {
      return invalid_argument(str_cat("kernel ", op.kernel, ", stride ", op.stride, " out of range"));
    }
    YOLOCU_ASSIGN_OR_RETURN(const Extent extent,
                            window_extent(in[0].extent, op.kernel, op.stride, 0));
    return feature_map(in[0].channels, extent);
  }

  Result<ValueShape> operator()(const UpsampleOp& op) const {
    const Extent from = in[0].extent;
    if (!in_range(op.factor, 2, kMaxDivisor) || from.divisor % op.factor != 0) {
      return invalid_argument(str_cat("factor ", op.factor, " on a map of stride ", from.divisor));
    }
    return feature_map(in[0].channels, {from.divisor / op.factor, from.offset * op.factor});
  }

  Result<ValueShape> operator()(const ConcatOp&) const {
    int64_t channels = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      if (in[i].extent != in[0].extent) {
        return invalid_argument(str_cat("operand ", i, " has stride ", in[i].extent.divisor,
                                        ", operand 0 has ", in[0].extent.divisor));
      }
      channels += in[i].channels;
    }
    if (channels > kMaxChannels) return invalid_argument(str_cat(channels, " channels"));
    return feature_map(channels, in[0].extent);
  }

  Result<ValueShape> operator()(const AddOp&) const {
    for (size_t i = 1; i < in.size(); ++i) {
      if (in[i] != in[0]) {
        return invalid_argument(str_cat("operand ", i, " has ", in[i].channels,
                                        " channels at stride ", in[i].extent.divisor,
                                        ", operand 0 has ", in[0].channels, " at ",
                                        in[0].extent.divisor));
      }
    }
    return in[0];
  }

  Result<ValueShape> operator()(const SliceOp& op) const {
    if (op.begin < 0 || op.channels < 1 || op.begin > in[0].channels - op.channels) {
      return invalid_argument(
          str_cat(op.channels, " channels from ", op.begin, " of ", in[0].channels));
    }
    return feature_map(op.channels, in[0].extent);
  }

  Result<ValueShape> operator()(const SpaceToDepthOp&) const {
    const Extent from = in[0].extent;
    if (from.offset % 2 != 0 || from.divisor * 2 > kMaxDivisor) {
      return invalid_argument("needs an even extent");
    }
    if (in[0].channels * 4 > kMaxChannels) return invalid_argument("too many channels");
    return feature_map(in[0].channels * 4, {from.divisor * 2, from.offset / 2});
  }

  Result<ValueShape> operator()(const DecodeDflOp& op) const {
    YOLOCU_RETURN_IF_ERROR(check_levels(op.strides, in.size(), 2));
    if (!in_range(op.classes, 1, kMaxChannels - 5)) {
      return invalid_argument(str_cat("classes ", op.classes, " out of range"));
    }
    if (!in_range(op.bins, 1, 256)) return invalid_argument(str_cat("bins ", op.bins));
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const ValueShape& box = in[2 * level];
      const ValueShape& cls = in[2 * level + 1];
      YOLOCU_RETURN_IF_ERROR(check_head(box, 4 * op.bins, op.strides[level]));
      YOLOCU_RETURN_IF_ERROR(check_head(cls, op.classes, op.strides[level]));
    }
    return ValueShape{ValueShape::Kind::kPredictions, 4 + op.classes, {}};
  }

  Result<ValueShape> operator()(const DecodeAnchorOp& op) const {
    YOLOCU_RETURN_IF_ERROR(check_levels(op.strides, in.size(), 1));
    if (!in_range(op.classes, 1, kMaxChannels - 5)) {
      return invalid_argument(str_cat("classes ", op.classes, " out of range"));
    }
    if (op.anchors.size() != op.strides.size()) {
      return invalid_argument(str_cat(op.anchors.size(), " anchor lists for ", op.strides.size(),
                                      " levels"));
    }
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const std::vector<float>& anchors = op.anchors[level];
      const auto positive = [](float v) { return std::isfinite(v) && v > 0; };
      if (anchors.empty() || anchors.size() > 32 || anchors.size() % 2 != 0 ||
          !std::all_of(anchors.begin(), anchors.end(), positive)) {
        return invalid_argument(str_cat("anchors of level ", level, " are not pairs of sizes"));
      }
      const auto count = static_cast<int64_t>(anchors.size() / 2);
      YOLOCU_RETURN_IF_ERROR(check_head(in[level], count * (5 + op.classes), op.strides[level]));
    }
    return ValueShape{ValueShape::Kind::kPredictions, 5 + op.classes, {}};
  }

 private:
  static Status check_levels(const std::vector<float>& strides, size_t inputs, size_t per_level) {
    if (strides.empty() || strides.size() > 16 || inputs != strides.size() * per_level) {
      return invalid_argument(str_cat(inputs, " operands for ", strides.size(), " strides"));
    }
    return {};
  }

  static Status check_head(const ValueShape& head, int64_t channels, float stride) {
    if (head.channels != channels) {
      return invalid_argument(str_cat("expected a head of ", channels, " channels, got ",
                                      head.channels));
    }
    if (head.extent.offset != 0 || static_cast<float>(head.extent.divisor) != stride) {
      return invalid_argument(str_cat("expected a head of stride ", stride, ", got H/",
                                      head.extent.divisor, " + ", head.extent.offset));
    }
    return {};
  }
};

struct OperandRange {
  size_t low, high;
};

OperandRange operand_range(const Op& op) {
  if (std::holds_alternative<InputOp>(op)) return {0, 0};
  if (std::holds_alternative<AddOp>(op)) return {2, 64};
  if (std::holds_alternative<ConcatOp>(op)) return {1, 64};
  if (std::holds_alternative<DecodeDflOp>(op)) return {2, 32};
  if (std::holds_alternative<DecodeAnchorOp>(op)) return {1, 16};
  return {1, 1};
}

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
      "input", "conv",  "max_pool",       "avg_pool",   "upsample",      "concat",
      "add",   "slice", "space_to_depth", "decode_dfl", "decode_anchor"};
  return kNames[op.index()];
}

Result<ValueShape> infer_shape(const Op& op, std::span<const ValueShape> operands) {
  const OperandRange range = operand_range(op);
  if (operands.size() < range.low || operands.size() > range.high) {
    return invalid_argument(str_cat(operands.size(), " operands, expected ", range.low,
                                    range.low == range.high ? "" : str_cat(" to ", range.high)));
  }
  return std::visit(ShapeRule{operands}, op);
}

Result<std::vector<ValueShape>> infer_shapes(const Graph& graph) {
  if (graph.nodes.size() < 2 || graph.nodes.size() > static_cast<size_t>(kMaxNodes)) {
    return invalid_argument(str_cat("graph of ", graph.nodes.size(), " nodes, expected 2 to ",
                                    kMaxNodes));
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
    if (total_stride > kMaxDivisor) return invalid_argument(str_cat("total stride ", total_stride));
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
      return invalid_argument(str_cat("input size ", width, "x", height,
                                      " is not a positive multiple of ", stride, " up to ",
                                      kMaxInputExtent, ": use ", below, " or ", below + stride,
                                      " instead of ", extent));
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

double conv_flops(const Graph& graph, const std::vector<ValueShape>& shapes, int64_t height,
                  int64_t width) {
  double flops = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* conv = std::get_if<ConvOp>(&graph.nodes[i].op);
    if (conv == nullptr) continue;
    const int64_t in_channels = conv_in_channels(graph.nodes[i], shapes);
    const double pixels = static_cast<double>(shapes[i].extent.at(height)) *
                          static_cast<double>(shapes[i].extent.at(width));
    flops += 2.0 * pixels * static_cast<double>(conv->out_channels) *
             static_cast<double>(conv->kernel * conv->kernel * (in_channels / conv->groups));
  }
  return flops;
}

}  // namespace yolocu
