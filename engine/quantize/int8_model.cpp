#include "engine/quantize/int8_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <variant>

#include "engine/base/str_cat.h"
#include "weights/format/quantization.h"

namespace yolocu::quantize {
namespace {

bool is_conv(const Node& node) {
  return std::holds_alternative<ConvOp>(node.op);
}

// Whether the op's value is made of its inputs' int8 numbers, in their scales.
bool keeps_scales(const Op& op) {
  return std::holds_alternative<MaxPoolOp>(op) || std::holds_alternative<AvgPoolOp>(op) ||
         std::holds_alternative<UpsampleOp>(op) || std::holds_alternative<ConcatOp>(op) ||
         std::holds_alternative<SliceOp>(op) || std::holds_alternative<SpaceToDepthOp>(op);
}

int find_root(std::vector<int>& parents, int value) {
  while (parents[static_cast<size_t>(value)] != value) {
    int& parent = parents[static_cast<size_t>(value)];
    parent = parents[static_cast<size_t>(parent)];
    value = parent;
  }
  return value;
}

float clamp_scale(double scale, float low, float high) {
  return static_cast<float>(std::clamp(scale, double{low}, double{high}));
}

struct Int8Weights {
  std::vector<int8_t> values;             // [K,R,S,C/groups]
  std::vector<float> accumulator_scales;  // [K]
};

// weight [K,R,S,C/groups]: rounded after channel c of the input has been divided by its scale.
Int8Weights quantize_weights(const std::vector<float>& weight, const ConvOp& conv,
                             const std::vector<float>& in_scales) {
  const size_t filter = weight.size() / static_cast<size_t>(conv.out_channels);
  const size_t channels = filter / static_cast<size_t>(conv.kernel * conv.kernel);
  const size_t group_out = static_cast<size_t>(conv.out_channels / conv.groups);
  Int8Weights result;
  std::vector<double> folded(filter);
  for (size_t k = 0; k < static_cast<size_t>(conv.out_channels); ++k) {
    const float* const scales = in_scales.data() + k / group_out * channels;
    double largest = 0;
    for (size_t i = 0; i < filter; ++i) {
      folded[i] = double{weight[k * filter + i]} * double{scales[i % channels]};
      largest = std::max(largest, std::abs(folded[i]));
    }
    const float unit = clamp_scale(largest / kMaxInt8, kMinAccumulatorScale, kMaxAccumulatorScale);
    result.accumulator_scales.push_back(unit);
    for (const double w : folded) {
      const double q = std::clamp(std::nearbyint(w / unit), -127.0, 127.0);
      result.values.push_back(static_cast<int8_t>(q));
    }
  }
  return result;
}

class Builder {
 public:
  explicit Builder(std::shared_ptr<const Model> model)
      : source_(std::move(model)), storage_(std::make_shared<Storage>()), result_(*source_) {
    storage_->source = source_;
    result_.storage = storage_;
  }

  Result<std::shared_ptr<const Model>> run(std::span<const Int8Unit> units,
                                           const std::vector<float>& cut_offs) {
    for (const Int8Unit& unit : units) set_output_scales(unit, cut_offs);
    Graph& graph = result_.spec.graph;
    YOLOCU_ASSIGN_OR_RETURN(const auto shapes, infer_shapes(graph));
    YOLOCU_ASSIGN_OR_RETURN(const auto scales, infer_scales(graph, shapes));
    for (const Int8Unit& unit : units) {
      for (const int i : unit.convolutions) {
        Node& node = graph.nodes[static_cast<size_t>(i)];
        const Status status =
            add_int8(std::get<ConvOp>(node.op),
                     scale_of_channels(scales[static_cast<size_t>(node.inputs[0])]));
        if (!status.ok()) return status.with_context("node '" + node.name + "'");
      }
    }
    drop_unused();
    return std::make_shared<const Model>(std::move(result_));
  }

 private:
  struct Storage {
    std::shared_ptr<const Model> source;
    std::map<std::string, Int8Weights> weights;
  };

  void set_output_scales(const Int8Unit& unit, const std::vector<float>& cut_offs) {
    for (const int value : unit.values) {
      const auto i = static_cast<size_t>(value);
      // A value that was zero on all pictures still needs a scale.
      const double cut_off = cut_offs[i] > 0 ? double{cut_offs[i]} : 1.0;
      const float scale = clamp_scale(cut_off / kMaxInt8, kMinScale, kMaxScale);
      Op& op = result_.spec.graph.nodes[i].op;
      if (auto* conv = std::get_if<ConvOp>(&op)) conv->output_scale = scale;
      if (auto* add = std::get_if<AddOp>(&op)) add->output_scale = scale;
    }
  }

  std::string new_name(const std::string& wanted) const {
    std::string name = wanted;
    for (int i = 2; source_->tensors.contains(name) || result_.tensors.contains(name); ++i) {
      name = str_cat(wanted, ".", i);
    }
    return name;
  }

  Status add_int8(ConvOp& conv, const std::vector<float>& in_scales) {
    const TensorView& weight = source_->tensors.find(conv.weight)->second;
    YOLOCU_ASSIGN_OR_RETURN(const std::vector<float> real, tensor_to_float(weight));
    for (const float value : real) {
      if (!std::isfinite(value)) {
        return invalid_argument(str_cat("tensor '", conv.weight, "' has a weight of ", value));
      }
    }
    const std::string name = new_name(conv.weight + ".int8");
    conv.accumulator_scale = new_name(conv.weight + ".scale");
    Int8Weights& stored = storage_->weights[name];
    stored = quantize_weights(real, conv, in_scales);
    result_.tensors[name] = {DType::kI8, weight.shape, std::as_bytes(std::span(stored.values))};
    result_.tensors[conv.accumulator_scale] = {
        DType::kF32, {conv.out_channels}, std::as_bytes(std::span(stored.accumulator_scales))};
    replaced_.push_back(conv.weight);
    conv.weight = name;
    return {};
  }

  // Weights that only int8 convolutions used.
  void drop_unused() {
    for (const Node& node : result_.spec.graph.nodes) {
      if (!is_conv(node)) continue;
      std::erase(replaced_, std::get<ConvOp>(node.op).weight);
    }
    for (const std::string& name : replaced_) result_.tensors.erase(name);
  }

  std::shared_ptr<const Model> source_;
  std::shared_ptr<Storage> storage_;
  Model result_;
  std::vector<std::string> replaced_;
};

}  // namespace

std::vector<Int8Unit> plan_int8_units(const Graph& graph) {
  const size_t count = graph.nodes.size();
  std::vector<int> parents(count);
  std::iota(parents.begin(), parents.end(), 0);
  for (size_t i = 0; i < count; ++i) {
    if (!keeps_scales(graph.nodes[i].op)) continue;
    for (const int input : graph.nodes[i].inputs) {
      const int a = find_root(parents, input), b = find_root(parents, static_cast<int>(i));
      parents[static_cast<size_t>(std::max(a, b))] = std::min(a, b);
    }
  }
  std::vector<Int8Unit> units(count);  // by root: the first value of each
  for (size_t i = 0; i < count; ++i) {
    const auto root = [&](int value) { return static_cast<size_t>(find_root(parents, value)); };
    units[root(static_cast<int>(i))].values.push_back(static_cast<int>(i));
    if (is_conv(graph.nodes[i])) {
      units[root(graph.nodes[i].inputs[0])].convolutions.push_back(static_cast<int>(i));
    }
  }
  std::vector<int> floats = graph.nodes.back().inputs;
  floats.push_back(0);
  for (const int value : floats) {
    units[static_cast<size_t>(find_root(parents, value))].convolutions.clear();
  }
  std::erase_if(units, [](const Int8Unit& unit) { return unit.convolutions.empty(); });
  return units;
}

Result<std::shared_ptr<const Model>> make_int8_model(std::shared_ptr<const Model> model,
                                                     std::span<const Int8Unit> units,
                                                     const std::vector<float>& cut_offs) {
  return Builder(std::move(model)).run(units, cut_offs);
}

}  // namespace yolocu::quantize
