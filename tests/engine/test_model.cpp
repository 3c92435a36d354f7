#include "tests/engine/test_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/base/half.h"
#include "engine/base/str_cat.h"
#include "engine/reference/reference_ops.h"

namespace yolocu::testing {

ModelBuilder::ModelBuilder(Numbers numbers, uint64_t seed)
    : numbers_(numbers),
      seed_(seed),
      storage_(std::make_shared<std::vector<std::vector<float>>>()) {
  op({}, InputOp{});
}

int ModelBuilder::op(std::vector<int> inputs, Op op) {
  Graph& graph = model_->spec.graph;
  const int number = static_cast<int>(graph.nodes.size());
  graph.nodes.push_back({str_cat(op_name(op), "_", number), std::move(inputs), std::move(op)});
  // The shape as the op defines it; infer_shapes wants a finished graph.
  ValueShape s;
  const Node& node = graph.nodes.back();
  const auto in = [&](size_t i) { return shape(node.inputs[i]); };
  const auto window = [&](int64_t kernel, int64_t stride, int64_t padding) {
    const int64_t shift = in(0).extent.offset + 2 * padding - kernel;
    const int64_t floor = shift >= 0 ? shift / stride : -((-shift + stride - 1) / stride);
    s.extent = {in(0).extent.divisor * stride, floor + 1};
  };
  if (!node.inputs.empty()) s = in(0);
  if (const auto* conv = std::get_if<ConvOp>(&node.op)) {
    window(conv->kernel, conv->stride, conv->padding);
    s.channels = conv->out_channels;
  } else if (const auto* max = std::get_if<MaxPoolOp>(&node.op)) {
    window(max->kernel, max->stride, max->padding);
  } else if (const auto* mean = std::get_if<AvgPoolOp>(&node.op)) {
    window(mean->kernel, mean->stride, 0);
  } else if (const auto* up = std::get_if<UpsampleOp>(&node.op)) {
    s.extent = {s.extent.divisor / up->factor, s.extent.offset * up->factor};
  } else if (std::holds_alternative<ConcatOp>(node.op)) {
    s.channels = 0;
    for (const int input : node.inputs) s.channels += channels(input);
  } else if (const auto* part = std::get_if<SliceOp>(&node.op)) {
    s.channels = part->channels;
  } else if (std::holds_alternative<SpaceToDepthOp>(node.op)) {
    s.channels *= 4;
    s.extent.divisor *= 2;
  } else if (std::holds_alternative<InputOp>(node.op)) {
    s.channels = 3;
  }
  shapes_.push_back(s);
  return number;
}

std::string ModelBuilder::tensor(const std::string& name, std::vector<int64_t> shape, DType dtype) {
  size_t count = 1;
  for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
  std::vector<float> values = numbers_ == Numbers::kIntegers ? random_integers(count, 2, ++seed_)
                                                             : random_floats(count, ++seed_);
  if (numbers_ == Numbers::kReals) {
    // Sums of as many products as the first output has weights stay of the order of one.
    const float scale = 1 / std::sqrt(static_cast<float>(count) / static_cast<float>(shape[0]));
    for (float& value : values) value *= scale;
  }
  if (dtype == DType::kF16) {
    for (size_t i = 0; i < count; ++i) {
      const uint16_t bits = float_to_half(values[i]);
      std::memcpy(reinterpret_cast<std::byte*>(values.data()) + 2 * i, &bits, 2);
    }
  }
  storage_->push_back(std::move(values));
  const auto bytes = std::as_bytes(std::span<const float>(storage_->back()));
  model_->tensors[name] = {dtype, std::move(shape),
                           bytes.first(count * static_cast<size_t>(size_bytes(dtype)))};
  return name;
}

int ModelBuilder::conv(int x, int64_t out_channels, ConvOp conv) {
  const std::string name = str_cat("conv", model_->spec.graph.nodes.size());
  conv.out_channels = out_channels;
  const DType dtype = model_->spec.graph.nodes.size() % 2 == 0 ? DType::kF16 : DType::kF32;
  conv.weight = tensor(name + ".weight", conv_weight_shape(conv, channels(x)), dtype);
  if (conv.bias != "none") conv.bias = tensor(name + ".bias", {out_channels}, DType::kF32);
  if (conv.bias == "none") conv.bias.clear();
  return op({x}, conv);
}

int ModelBuilder::slice(int x, int64_t begin, int64_t count) {
  return op({x}, SliceOp{.begin = begin, .channels = count});
}

std::shared_ptr<const Model> ModelBuilder::finish(std::vector<int> values) {
  // All heads of a model have the same number of classes: bring them to one number of channels.
  int64_t widest = 6;
  for (const int value : values) widest = std::max(widest, channels(value));
  DecodeAnchorOp decode{.classes = widest - 5, .strides = {}, .anchors = {}};
  for (int& value : values) {
    if (channels(value) != widest) value = conv(value, widest, {});
    decode.strides.push_back(static_cast<float>(shape(value).extent.divisor));
    decode.anchors.push_back({8, 8});
  }
  op(std::move(values), decode);
  model_->spec.class_names.assign(static_cast<size_t>(widest - 5), "thing");
  model_->storage = storage_;
  return model_;
}

std::shared_ptr<const Model> ModelBuilder::finish_dfl(const std::vector<int>& levels,
                                                      int64_t classes) {
  DecodeDflOp decode{.classes = classes, .bins = 16, .strides = {}};
  std::vector<int> heads;
  for (const int level : levels) {
    decode.strides.push_back(static_cast<float>(shape(level).extent.divisor));
    heads.push_back(conv(level, 4 * decode.bins, {}));
    heads.push_back(conv(level, classes, {}));
  }
  op(std::move(heads), decode);
  model_->spec.class_names.assign(static_cast<size_t>(classes), "thing");
  model_->storage = storage_;
  return model_;
}

namespace {

using reference::Tensor;

// A value and, for every element, a bound of |value| computed on magnitudes: sums of |x| |w|.
struct Bounded {
  Tensor value, magnitude;
};

Tensor absolute(Tensor t) {
  for (float& v : t.values) v = std::abs(v);
  return t;
}

std::vector<float> absolute(std::vector<float> values) {
  for (float& v : values) v = std::abs(v);
  return values;
}

std::vector<float> weights_of(const Model& model, const std::string& name) {
  if (name.empty()) return {};
  return *tensor_to_float(model.tensors.find(name)->second);
}

template <typename F>
Bounded both(const std::vector<const Bounded*>& in, const F& f) {
  std::vector<const Tensor*> values, magnitudes;
  for (const Bounded* b : in) {
    values.push_back(&b->value);
    magnitudes.push_back(&b->magnitude);
  }
  return {f(values), f(magnitudes)};
}

Bounded evaluate(const Model& model, const Node& node, const std::vector<const Bounded*>& in) {
  if (const auto* op = std::get_if<ConvOp>(&node.op)) {
    const std::vector<float> w = weights_of(model, op->weight);
    const std::vector<float> b = weights_of(model, op->bias);
    ConvOp linear = *op;
    linear.activation = Activation::kNone;
    return {reference::convolve(in[0]->value, *op, w, b),
            reference::convolve(in[0]->magnitude, linear, absolute(w), absolute(b))};
  }
  using Values = const std::vector<const Tensor*>&;
  if (const auto* op = std::get_if<MaxPoolOp>(&node.op)) {
    return both(in, [&](Values x) { return reference::max_pool(*x[0], *op); });
  }
  if (const auto* op = std::get_if<AvgPoolOp>(&node.op)) {
    return both(in, [&](Values x) { return reference::avg_pool(*x[0], *op); });
  }
  if (const auto* op = std::get_if<UpsampleOp>(&node.op)) {
    return both(in, [&](Values x) { return reference::upsample(*x[0], *op); });
  }
  if (const auto* op = std::get_if<SliceOp>(&node.op)) {
    return both(in, [&](Values x) { return reference::slice(*x[0], *op); });
  }
  if (std::holds_alternative<ConcatOp>(node.op)) {
    return both(in, [](Values x) { return reference::concat(x); });
  }
  if (std::holds_alternative<AddOp>(node.op)) {
    return both(in, [](Values x) { return reference::add(x); });
  }
  return both(in, [](Values x) { return reference::space_to_depth(*x[0]); });
}

}  // namespace

ReferenceRun run_reference(const Model& model, int64_t height, int64_t width,
                           const std::vector<float>& picture) {
  const Graph& graph = model.spec.graph;
  std::vector<Bounded> values(graph.nodes.size());
  values[0].value = Tensor(1, height, width, 3);
  values[0].value.values = picture;
  values[0].magnitude = absolute(values[0].value);
  for (size_t i = 1; i + 1 < graph.nodes.size(); ++i) {
    std::vector<const Bounded*> in;
    for (const int input : graph.nodes[i].inputs) in.push_back(&values[static_cast<size_t>(input)]);
    values[i] = evaluate(model, graph.nodes[i], in);
  }
  ReferenceRun result;
  for (const int head : graph.nodes.back().inputs) {
    result.heads.push_back(values[static_cast<size_t>(head)].value.values);
    result.bounds.push_back(values[static_cast<size_t>(head)].magnitude.values);
  }
  return result;
}

}  // namespace yolocu::testing
