#include "weights/import/graph_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "engine/base/half.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr size_t kAlignment = 64;

// out [K,R,S,C] = convert(weight [K,C,R,S])
template <typename Stored, typename Convert>
void to_ohwi(Stored* out, const FoldedConv& conv, Convert convert) {
  const auto channels = static_cast<size_t>(conv.group_in_channels);
  const auto window = static_cast<size_t>(conv.kernel * conv.kernel);
  const float* weight = conv.weight.data();
  for (size_t k = 0; k < static_cast<size_t>(conv.out_channels); ++k) {
    for (size_t i = 0; i < window; ++i) {
      for (size_t c = 0; c < channels; ++c) *out++ = convert(weight[c * window + i]);
    }
    weight += channels * window;
  }
}

bool is_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

bool is_finite(std::span<const uint16_t> halves) {
  return std::ranges::none_of(halves, [](uint16_t h) { return (h & 0x7C00u) == 0x7C00u; });
}

}  // namespace

void GraphBuilder::Discard::operator()(std::byte* bytes) const {
  ::operator delete (bytes, std::align_val_t{kAlignment});
}

// Uninitialised.
GraphBuilder::StoredTensor GraphBuilder::make_tensor(DType dtype, std::vector<int64_t> shape,
                                                     size_t elements) {
  const size_t size = elements * static_cast<size_t>(size_bytes(dtype));
  StoredTensor tensor;
  tensor.bytes.reset(static_cast<std::byte*>(::operator new (size, std::align_val_t{kAlignment})));
  tensor.view = {dtype, std::move(shape), {tensor.bytes.get(), size}};
  return tensor;
}

GraphBuilder::StoredTensor GraphBuilder::store_weight(const FoldedConv& conv, DType dtype,
                                                      std::vector<int64_t> shape) {
  const size_t elements = conv.weight.size();
  StoredTensor tensor = make_tensor(dtype, std::move(shape), elements);
  if (dtype == DType::kF16) {
    auto* out = reinterpret_cast<uint16_t*>(tensor.bytes.get());
    to_ohwi(out, conv, float_to_half);
    tensor.is_finite = is_finite(std::span<const uint16_t>(out, elements));
  } else {
    to_ohwi(reinterpret_cast<float*>(tensor.bytes.get()), conv, [](float v) { return v; });
    tensor.is_finite = is_finite(conv.weight);
  }
  return tensor;
}

GraphBuilder::StoredTensor GraphBuilder::store_bias(const FoldedConv& conv) {
  StoredTensor tensor = make_tensor(DType::kF32, {conv.out_channels}, conv.bias.size());
  std::memcpy(tensor.bytes.get(), conv.bias.data(), conv.bias.size() * sizeof(float));
  tensor.is_finite = is_finite(conv.bias);
  return tensor;
}

GraphBuilder::GraphBuilder(DType weight_dtype) : weight_dtype_(weight_dtype) {
  graph_.nodes.push_back({"input", {}, InputOp{}});
  shapes_.push_back({.kind = ValueShape::Kind::kFeatureMap, .channels = 3, .extent = {}});
}

void GraphBuilder::limit_weights(int64_t elements) {
  max_weight_elements_ = std::min(max_weight_elements_, elements);
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
  if (weight_elements_ > max_weight_elements_) {
    return resource_exhausted(str_cat(name, ": more than ", max_weight_elements_, " weights"));
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
  tensors_[op.weight] =
      store_weight(conv, weight_dtype_, conv_weight_shape(op, shape(input).channels));
  tensors_[op.bias] = store_bias(conv);
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

Result<Model> GraphBuilder::finish() && {
  Model model;
  auto buffers = std::make_shared<std::vector<Buffer>>();
  for (auto& [name, tensor] : tensors_) {
    if (!tensor.is_finite) {
      const DType dtype = tensor.view.dtype;
      return unsupported(str_cat("tensor '", name, "' has values that ", dtype_name(dtype),
                                 " cannot hold: NaN, infinity or beyond its range",
                                 dtype == DType::kF16 ? "; try --dtype fp32" : ""));
    }
    model.tensors[name] = std::move(tensor.view);
    buffers->push_back(std::move(tensor.bytes));
  }
  model.spec.graph = std::move(graph_);
  model.storage = std::move(buffers);
  return model;
}

}  // namespace yolocu
