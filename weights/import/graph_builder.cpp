#include "weights/import/graph_builder.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "engine/base/checked.h"
#include "engine/base/half.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr int64_t kAlignment = 64;
// Three times the largest official model. A checkpoint of 10 MB can name one tensor in 20,000
// modules, each of which becomes weights of its own.
constexpr int64_t kMaxWeightElements = int64_t{1} << 29;

// [K,C,R,S] -> [K,R,S,C]
std::vector<float> to_ohwi(const FoldedConv& conv) {
  const auto channels = static_cast<size_t>(conv.group_in_channels);
  const auto window = static_cast<size_t>(conv.kernel * conv.kernel);
  std::vector<float> ohwi(conv.weight.size());
  for (size_t k = 0; k < static_cast<size_t>(conv.out_channels); ++k) {
    for (size_t c = 0; c < channels; ++c) {
      for (size_t i = 0; i < window; ++i) {
        ohwi[(k * window + i) * channels + c] = conv.weight[(k * channels + c) * window + i];
      }
    }
  }
  return ohwi;
}

// Writes `values` as `dtype`; false if one of them has no finite value there.
bool store(std::byte* out, std::span<const float> values, DType dtype) {
  bool finite = true;
  for (size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::kF16) {
      const uint16_t half = float_to_half(values[i]);
      finite = finite && std::isfinite(half_to_float(half));
      std::memcpy(out + 2 * i, &half, 2);
    } else {
      finite = finite && std::isfinite(values[i]);
      std::memcpy(out + 4 * i, &values[i], 4);
    }
  }
  return finite;
}

}  // namespace

GraphBuilder::GraphBuilder() {
  graph_.nodes.push_back({"input", {}, InputOp{}});
  shapes_.push_back({.kind = ValueShape::Kind::kFeatureMap, .channels = 3, .extent = {}});
}

Result<int> GraphBuilder::add(std::string name, std::vector<int> inputs, Op op) {
  if (static_cast<int64_t>(graph_.nodes.size()) >= kMaxNodes) {
    return resource_exhausted(str_cat(name, ": more than ", kMaxNodes, " nodes"));
  }
  std::vector<ValueShape> operands;
  for (const int value : inputs) operands.push_back(shape(value));
  Result<ValueShape> inferred = infer_shape(op, operands);
  if (!inferred.ok()) return inferred.status().with_context(str_cat(name, " (", op_name(op), ")"));
  shapes_.push_back(*inferred);
  graph_.nodes.push_back({std::move(name), std::move(inputs), std::move(op)});
  return static_cast<int>(graph_.nodes.size()) - 1;
}

Result<int> GraphBuilder::add_conv(const std::string& name, int input, const FoldedConv& conv,
                                   Activation activation, float negative_slope) {
  if (conv.groups < 1 || conv.group_in_channels * conv.groups != shape(input).channels) {
    return corrupt(str_cat(name, ": the weight reads ", conv.group_in_channels,
                           " channels a group, its input has ", shape(input).channels, " in ",
                           conv.groups, " groups"));
  }
  weight_elements_ += static_cast<int64_t>(conv.weight.size());
  if (weight_elements_ > kMaxWeightElements) {
    return resource_exhausted(str_cat(name, ": more than ", kMaxWeightElements, " weights"));
  }
  ConvOp op{.out_channels = conv.out_channels,
            .kernel = conv.kernel,
            .stride = conv.stride,
            .padding = conv.padding,
            .groups = conv.groups,
            .activation = activation,
            .negative_slope = negative_slope,
            .weight = name + ".weight",
            .bias = name + ".bias"};
  if (tensors_.contains(op.weight)) return corrupt(str_cat(name, ": used twice"));
  tensors_[op.weight] = {conv_weight_shape(op, shape(input).channels), to_ohwi(conv), DType::kF32};
  tensors_[op.bias] = {{conv.out_channels}, conv.bias, DType::kF32};
  return add(name, {input}, std::move(op));
}

int64_t GraphBuilder::drop_unreachable() {
  const size_t count = graph_.nodes.size();
  std::vector<bool> needed(count, false);
  needed.front() = needed.back() = true;
  for (size_t i = count; i-- > 0;) {
    if (!needed[i]) continue;
    for (const int value : graph_.nodes[i].inputs) needed[static_cast<size_t>(value)] = true;
  }
  std::vector<int> renumbered(count, -1);
  Graph kept;
  std::vector<ValueShape> kept_shapes;
  for (size_t i = 0; i < count; ++i) {
    Node& node = graph_.nodes[i];
    if (!needed[i]) {
      if (const auto* conv = std::get_if<ConvOp>(&node.op)) {
        tensors_.erase(conv->weight);
        tensors_.erase(conv->bias);
      }
      continue;
    }
    for (int& value : node.inputs) value = renumbered[static_cast<size_t>(value)];
    renumbered[i] = static_cast<int>(kept.nodes.size());
    kept.nodes.push_back(std::move(node));
    kept_shapes.push_back(shapes_[i]);
  }
  graph_ = std::move(kept);
  shapes_ = std::move(kept_shapes);
  return static_cast<int64_t>(count - graph_.nodes.size());
}

Result<Model> GraphBuilder::finish(DType weight_dtype) && {
  int64_t total = 0;
  for (auto& [name, tensor] : tensors_) {
    tensor.dtype = tensor.shape.size() == 4 ? weight_dtype : DType::kF32;
    total +=
        round_up(static_cast<int64_t>(tensor.values.size()) * size_bytes(tensor.dtype), kAlignment);
  }
  // One buffer for all tensors, aligned by hand: new[] promises 16 bytes only.
  auto buffer = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(total + kAlignment));
  void* base = buffer->data();
  size_t space = buffer->size();
  auto* at = static_cast<std::byte*>(
      std::align(static_cast<size_t>(kAlignment), static_cast<size_t>(total), base, space));

  Model model;
  for (const auto& [name, tensor] : tensors_) {
    const auto bytes = static_cast<int64_t>(tensor.values.size()) * size_bytes(tensor.dtype);
    if (!store(at, tensor.values, tensor.dtype)) {
      return unsupported(str_cat("tensor '", name, "' has values that ", dtype_name(tensor.dtype),
                                 " cannot hold: NaN, infinity or beyond its range",
                                 tensor.dtype == DType::kF16 ? "; try --dtype fp32" : ""));
    }
    model.tensors[name] = {tensor.dtype, tensor.shape,
                           std::span<const std::byte>(at, static_cast<size_t>(bytes))};
    at += round_up(bytes, kAlignment);
  }
  model.spec.graph = std::move(graph_);
  model.storage = std::move(buffer);
  return model;
}

}  // namespace yolocu
