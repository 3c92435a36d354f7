#include "weights/import/arch/synthetic.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/half.h"

namespace yolocu {
namespace {

// Of a value's elements, over pictures, positions and channels.
struct Moments {
  double mean = 0, variance = 1;
};

// A stream of numbers uniform in [-1, 1): splitmix64 (Steele et al. 2014) from a seed and a name.
class UniformStream {
 public:
  UniformStream(uint64_t seed, std::string_view name) : state_(seed) {
    for (const char c : name) state_ = mix(state_ ^ static_cast<unsigned char>(c));
  }

  double next() {
    state_ += kStep;
    return static_cast<double>(mix(state_) >> 11) / 4503599627370496.0 - 1.0;  // 53 bits / 2^52
  }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

// Before the activation. SiLU scales like a line for small numbers and like ReLU for large ones,
// with a smaller gain for the former: around 1 a signal that is too weak gets weaker in every
// layer, one too strong stronger. At 4 it is as good as ReLU, which keeps any scale.
constexpr double kDeviation = 16;

// What a convolution's output channel should be like before its activation.
struct Target {
  double mean = 0, deviation = kDeviation;
};

// A head's: with 80 classes 1 to 30 % of the anchors have a score above 0.25 on textured pictures,
// fewer on smooth ones, at what the deviation turns out to be (0.8 to 1.4 of this one).
Target dfl_class_target() {
  return {-9.0, 2.2};
}

Target anchor_target(int64_t channel, int64_t classes) {
  const int64_t entry = channel % (5 + classes);
  if (entry < 4) return {0.0, 1.0};
  return entry == 4 ? Target{-5.0, 2.0} : Target{-2.0, 1.5};
}

// Moments of act(x) for x normal with deviation kDeviation, by the midpoint rule.
Moments after_activation(const ConvOp& conv) {
  const auto act = [&](double x) {
    switch (conv.activation) {
      case Activation::kNone: return x;
      case Activation::kSilu: return x / (1 + std::exp(-x));
      case Activation::kRelu: return std::max(x, 0.0);
      case Activation::kLeakyRelu: return x < 0 ? conv.negative_slope * x : x;
    }
    return x;
  };
  constexpr int kSteps = 400;
  constexpr double kReach = 6, kWidth = 2 * kReach / kSteps;
  double mean = 0, square = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double x = -kReach + (i + 0.5) * kWidth;
    const double weight = std::exp(-x * x / 2) / std::sqrt(2 * M_PI) * kWidth;
    const double y = act(kDeviation * x);
    mean += weight * y;
    square += weight * y * y;
  }
  return {mean, square - mean * mean};
}

// What a max pool does to its input: the mean rises by so many deviations, the variance by a
// factor.
struct Pooling {
  double shift = 0, spread = 1;
};

// A pool of pooled values finds little more.
Pooling pooling_of(const MaxPoolOp& pool, const Node& source) {
  if (std::holds_alternative<MaxPoolOp>(source.op)) return {0.3, 0.95};
  return pool.kernel <= 3 ? Pooling{0.7, 1.4} : Pooling{1.9, 1.3};
}

// Follows moments through the graph. Exact for convolutions, in the mean over their weights; pools
// depend on how alike neighbours are, and their factors were measured in networks made here.
class MomentFlow {
 public:
  MomentFlow(const Graph& graph, const std::vector<ValueShape>& shapes)
      : graph_(graph), shapes_(shapes) {}

  const Moments& of(int value) const { return moments_[static_cast<size_t>(value)]; }

  void add(const Node& node) { moments_.push_back(produced(node)); }

 private:
  Moments produced(const Node& node) const {
    if (std::holds_alternative<InputOp>(node.op)) return {0.45, 0.06};
    if (const auto* conv = std::get_if<ConvOp>(&node.op)) return after_activation(*conv);
    const Moments first = of(node.inputs[0]);
    if (std::holds_alternative<AddOp>(node.op)) return sum(node);
    if (std::holds_alternative<ConcatOp>(node.op)) return mixture(node);
    if (std::holds_alternative<AvgPoolOp>(node.op)) return {first.mean, 0.65 * first.variance};
    if (const auto* pool = std::get_if<MaxPoolOp>(&node.op)) {
      const Pooling p = pooling_of(*pool, graph_.nodes[static_cast<size_t>(node.inputs[0])]);
      return {first.mean + p.shift * std::sqrt(first.variance), p.spread * first.variance};
    }
    return first;
  }

  Moments sum(const Node& node) const {
    Moments total{0, 0};
    for (const int value : node.inputs) {
      total.mean += of(value).mean;
      total.variance += of(value).variance;
    }
    return total;
  }

  Moments mixture(const Node& node) const {
    double channels = 0, mean = 0, square = 0;
    for (const int value : node.inputs) {
      const Moments& part = of(value);
      const auto count = static_cast<double>(shapes_[static_cast<size_t>(value)].channels);
      channels += count;
      mean += count * part.mean;
      square += count * (part.variance + part.mean * part.mean);
    }
    mean /= channels;
    return {mean, square / channels - mean * mean};
  }

  const Graph& graph_;
  const std::vector<ValueShape>& shapes_;
  std::vector<Moments> moments_;
};

void store(std::byte* out, size_t index, double value, DType dtype) {
  const auto single = static_cast<float>(value);
  if (dtype == DType::kF32) {
    std::memcpy(out + 4 * index, &single, 4);
    return;
  }
  const uint16_t half = float_to_half(single);
  std::memcpy(out + 2 * index, &half, 2);
}

enum class Centring : uint8_t { kNone, kFilter };

// One filter of random weights, and of the norm that makes an output of `deviation` of it.
struct FilterSpec {
  double norm = 1;
  Centring centring = Centring::kFilter;
};

void fill_filter(UniformStream& stream, const FilterSpec& spec, std::vector<double>* filter) {
  double mean = 0;
  for (double& weight : *filter) {
    weight = stream.next();
    mean += weight;
  }
  const auto n = static_cast<double>(filter->size());
  mean /= n;
  double square = 0;
  for (double& weight : *filter) {
    if (spec.centring == Centring::kFilter && filter->size() > 1) weight -= mean;
    square += weight * weight;
  }
  for (double& weight : *filter) weight *= spec.norm / std::sqrt(square);
}

// The decode op that reads `value`, and how.
Target target_of(const Graph& graph, int value, int64_t channel) {
  const Node& head = graph.nodes.back();
  for (size_t i = 0; i < head.inputs.size(); ++i) {
    if (head.inputs[i] != value) continue;
    if (const auto* anchors = std::get_if<DecodeAnchorOp>(&head.op)) {
      return anchor_target(channel, anchors->classes);
    }
    return i % 2 == 1 ? dfl_class_target() : Target{0, 1};
  }
  return {};
}

using Bytes = std::vector<std::byte>;

class SyntheticWeights {
 public:
  SyntheticWeights(Model& model, uint64_t seed) : model_(model), seed_(seed) {}

  // Convolution `value`, whose input has these moments.
  void fill(int value, const Moments& input) {
    const auto& conv = std::get<ConvOp>(model_.spec.graph.nodes[static_cast<size_t>(value)].op);
    TensorView& weight = model_.tensors.find(conv.weight)->second;
    TensorView& bias = model_.tensors.find(conv.bias)->second;
    Bytes& weights = replace(weight);
    Bytes& biases = replace(bias);
    UniformStream stream(seed_, conv.weight);
    std::vector<double> filter(weights.size() / static_cast<size_t>(size_bytes(weight.dtype)) /
                               static_cast<size_t>(conv.out_channels));
    for (int64_t k = 0; k < conv.out_channels; ++k) {
      const Target target = target_of(model_.spec.graph, value, k);
      fill_filter(stream, spec_for(value, target, input), &filter);
      const size_t first = static_cast<size_t>(k) * filter.size();
      for (size_t i = 0; i < filter.size(); ++i) {
        store(weights.data(), first + i, filter[i], weight.dtype);
      }
      store(biases.data(), static_cast<size_t>(k), target.mean, DType::kF32);
    }
  }

  std::shared_ptr<const void> storage() { return std::move(storage_); }

 private:
  // Brightness is all that flat parts of a picture have: the first layer keeps it.
  FilterSpec spec_for(int value, const Target& target, const Moments& input) const {
    if (reads_picture(value)) {
      return {target.deviation / std::sqrt(input.variance + input.mean * input.mean),
              Centring::kNone};
    }
    return {target.deviation / std::sqrt(input.variance), Centring::kFilter};
  }

  bool reads_picture(int value) const {
    const auto& nodes = model_.spec.graph.nodes;
    const Node& source = nodes[static_cast<size_t>(nodes[static_cast<size_t>(value)].inputs[0])];
    return std::holds_alternative<InputOp>(source.op) ||
           std::holds_alternative<SpaceToDepthOp>(source.op);
  }

  Bytes& replace(TensorView& tensor) {
    Bytes& bytes = storage_->emplace_back(tensor.data.size());
    tensor.data = bytes;
    return bytes;
  }

  Model& model_;
  uint64_t seed_;
  // A deque: its elements stay where they are.
  std::shared_ptr<std::deque<Bytes>> storage_ = std::make_shared<std::deque<Bytes>>();
};

}  // namespace

void fill_with_synthetic_weights(Model& model, uint64_t seed) {
  const auto shapes = infer_shapes(model.spec.graph);
  if (!shapes.ok()) return;  // validate_model() says so to whoever asks
  MomentFlow flow(model.spec.graph, *shapes);
  SyntheticWeights weights(model, seed);
  for (const Node& node : model.spec.graph.nodes) {
    const auto value = static_cast<int>(&node - model.spec.graph.nodes.data());
    if (std::holds_alternative<ConvOp>(node.op)) {
      weights.fill(value, flow.of(node.inputs[0]));
    }
    flow.add(node);
  }
  model.storage = weights.storage();
}

}  // namespace yolocu
