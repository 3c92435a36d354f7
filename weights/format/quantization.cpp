#include "weights/format/quantization.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <variant>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

// Of all values together: as kMaxCuts of the engine's channel layouts.
constexpr size_t kMaxSegments = 100'000;

float output_scale_of(const Op& op) {
  if (const auto* conv = std::get_if<ConvOp>(&op)) return conv->output_scale;
  if (const auto* add = std::get_if<AddOp>(&op)) return add->output_scale;
  return 0;
}

bool is_int8_conv(const Op& op) {
  const auto* conv = std::get_if<ConvOp>(&op);
  return conv != nullptr && !conv->accumulator_scale.empty();
}

// NaN is in no range.
Status check_scale(float scale, float low, float high, std::string_view what) {
  if (scale >= low && scale <= high) return {};
  return corrupt(str_cat(what, ": expected a number from ", low, " to ", high, ", got ", scale));
}

void append(ChannelScales& to, int64_t count, float scale) {
  if (!to.empty() && to.back().scale == scale) {
    to.back().count += count;
  } else {
    to.push_back({to.empty() ? 0 : to.back().begin + to.back().count, count, scale});
  }
}

ChannelScales sliced(const ChannelScales& from, int64_t begin, int64_t channels) {
  ChannelScales part;
  for (const ScaleSegment& s : from) {
    const int64_t low = std::max(s.begin, begin);
    const int64_t high = std::min(s.begin + s.count, begin + channels);
    if (low < high) append(part, high - low, s.scale);
  }
  return part;
}

// The scales of one node's value after the other.
class ScaleRules {
 public:
  ScaleRules(const Graph& graph, const std::vector<ValueShape>& shapes)
      : graph_(graph), shapes_(shapes), scales_(graph.nodes.size()) {}

  Result<std::vector<ChannelScales>> run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      auto scales = visit(i, node);
      if (!scales.ok()) {
        return scales.status().with_context(
            str_cat("node ", i, " '", node.name, "' (", op_name(node.op), ")"));
      }
      segments_ += scales->size();
      if (segments_ > kMaxSegments) {
        return resource_exhausted("the scales of channels change too often");
      }
      scales_[i] = std::move(*scales);
    }
    return std::move(scales_);
  }

 private:
  const ChannelScales& input(const Node& node, size_t operand = 0) const {
    return scales_[static_cast<size_t>(node.inputs[operand])];
  }

  Result<ChannelScales> visit(size_t i, const Node& node) const {
    const Op& op = node.op;
    if (is_int8_conv(op) && input(node).empty()) {
      return corrupt(
          str_cat("an int8 convolution reads value ", node.inputs[0], ", which is floating point"));
    }
    if (std::holds_alternative<ConvOp>(op) || std::holds_alternative<AddOp>(op)) {
      return stored(i, output_scale_of(op));
    }
    if (std::holds_alternative<InputOp>(op)) return ChannelScales{};
    if (std::holds_alternative<ConcatOp>(op)) return joined(node);
    if (const auto* slice = std::get_if<SliceOp>(&op)) {
      return sliced(input(node), slice->begin, slice->channels);
    }
    if (std::holds_alternative<SpaceToDepthOp>(op)) return repeated(input(node), 4);
    if (std::holds_alternative<DecodeDflOp>(op) || std::holds_alternative<DecodeAnchorOp>(op)) {
      return no_int8_head(node);
    }
    return input(node);  // pools, upsample
  }

  Result<ChannelScales> stored(size_t i, float scale) const {
    if (scale == 0) return ChannelScales{};
    YOLOCU_RETURN_IF_ERROR(check_scale(scale, kMinScale, kMaxScale, "output_scale"));
    return ChannelScales{{0, shapes_[i].channels, scale}};
  }

  Result<ChannelScales> joined(const Node& node) const {
    ChannelScales all;
    for (size_t operand = 0; operand < node.inputs.size(); ++operand) {
      const ChannelScales& part = input(node, operand);
      if (part.empty() != input(node).empty()) {
        return corrupt(str_cat("operand ", operand, " is ",
                               part.empty() ? "floating point" : "int8", ", operand 0 is not"));
      }
      for (const ScaleSegment& s : part) append(all, s.count, s.scale);
    }
    return all;
  }

  static ChannelScales repeated(const ChannelScales& part, int times) {
    ChannelScales all;
    for (int i = 0; i < times; ++i) {
      for (const ScaleSegment& s : part) append(all, s.count, s.scale);
    }
    return all;
  }

  Result<ChannelScales> no_int8_head(const Node& node) const {
    for (size_t operand = 0; operand < node.inputs.size(); ++operand) {
      if (input(node, operand).empty()) continue;
      return corrupt(str_cat("head ", operand, " is int8, expected floating point"));
    }
    return ChannelScales{};
  }

  const Graph& graph_;
  const std::vector<ValueShape>& shapes_;
  std::vector<ChannelScales> scales_;
  size_t segments_ = 0;
};

// So many products of two numbers of 7 bits and a sign fit into 32 bits.
constexpr int64_t kMaxProducts = (int64_t{1} << 31) / (kMaxInt8 * kMaxInt8);

Status check_int8_tensors(const Model& model, const ConvOp& conv) {
  const std::vector<int64_t>& shape = model.tensors.find(conv.weight)->second.shape;
  const int64_t products = shape[1] * shape[2] * shape[3];
  if (products > kMaxProducts) {
    return corrupt(str_cat("tensor '", conv.weight, "': int8 sums of ", products,
                           " products, more than the ", kMaxProducts, " that fit into 32 bits"));
  }
  for (const std::byte value : model.tensors.find(conv.weight)->second.data) {
    if (value == std::byte{0x80}) {
      return corrupt(str_cat("tensor '", conv.weight, "': expected -127 to 127, got -128"));
    }
  }
  const std::span<const std::byte> scales = model.tensors.find(conv.accumulator_scale)->second.data;
  for (size_t k = 0; k < scales.size() / sizeof(float); ++k) {
    float scale = 0;
    std::memcpy(&scale, scales.data() + k * sizeof(float), sizeof(float));
    YOLOCU_RETURN_IF_ERROR(
        check_scale(scale, kMinAccumulatorScale, kMaxAccumulatorScale,
                    str_cat("tensor '", conv.accumulator_scale, "', element ", k)));
  }
  return {};
}

}  // namespace

std::vector<float> scale_of_channels(const ChannelScales& scales) {
  std::vector<float> all;
  for (const ScaleSegment& s : scales) {
    all.insert(all.end(), static_cast<size_t>(s.count), s.scale);
  }
  return all;
}

bool is_quantized(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return is_int8_conv(node.op) || output_scale_of(node.op) != 0;
  });
}

Result<std::vector<ChannelScales>> infer_scales(const Graph& graph,
                                                const std::vector<ValueShape>& shapes) {
  return ScaleRules(graph, shapes).run();
}

Status check_quantization(const Model& model, const std::vector<ValueShape>& shapes) {
  const Graph& graph = model.spec.graph;
  if (!is_quantized(graph)) return {};
  YOLOCU_RETURN_IF_ERROR(infer_scales(graph, shapes).status());
  for (const Node& node : graph.nodes) {
    if (!is_int8_conv(node.op)) continue;
    YOLOCU_RETURN_IF_ERROR(check_int8_tensors(model, std::get<ConvOp>(node.op)));
  }
  return {};
}

}  // namespace yolocu
