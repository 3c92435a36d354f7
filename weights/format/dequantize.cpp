// A quantized model in floating point.
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "engine/base/str_cat.h"
#include "weights/format/quantization.h"

namespace yolocu {
namespace {

// Weights of a convolution whose input channels have these scales: [K,R,S,C/groups] f32.
std::vector<float> real_weights(const Model& model, const ConvOp& conv,
                                const std::vector<float>& in_scales) {
  const TensorView& weight = model.tensors.find(conv.weight)->second;
  const TensorView& scales = model.tensors.find(conv.accumulator_scale)->second;
  const int64_t taps = conv.kernel * conv.kernel, channels = weight.shape[3];
  const int64_t group_out = conv.out_channels / conv.groups;
  std::vector<float> real(weight.data.size());
  size_t i = 0;
  for (int64_t k = 0; k < conv.out_channels; ++k) {
    float unit = 0;
    std::memcpy(&unit, scales.data.data() + k * static_cast<int64_t>(sizeof(float)), sizeof(float));
    const float* const of_input = in_scales.data() + k / group_out * channels;
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t c = 0; c < channels; ++c, ++i) {
        const auto q = static_cast<double>(static_cast<int8_t>(weight.data[i]));
        real[i] = static_cast<float>(q * unit / of_input[c]);
      }
    }
  }
  return real;
}

class Dequantizer {
 public:
  explicit Dequantizer(std::shared_ptr<const Model> model)
      : source_(std::move(model)), storage_(std::make_shared<Storage>()), result_(*source_) {
    storage_->source = source_;
    result_.storage = storage_;
  }

  Result<std::shared_ptr<const Model>> run() {
    const Graph& graph = source_->spec.graph;
    YOLOCU_ASSIGN_OR_RETURN(const auto shapes, infer_shapes(graph));
    YOLOCU_ASSIGN_OR_RETURN(const auto scales, infer_scales(graph, shapes));
    for (Node& node : result_.spec.graph.nodes) {
      if (auto* add = std::get_if<AddOp>(&node.op)) add->output_scale = 0;
      auto* conv = std::get_if<ConvOp>(&node.op);
      if (conv == nullptr) continue;
      conv->output_scale = 0;
      if (conv->accumulator_scale.empty()) continue;
      widen(*conv, scale_of_channels(scales[static_cast<size_t>(node.inputs[0])]));
    }
    return std::make_shared<const Model>(std::move(result_));
  }

 private:
  struct Storage {
    std::shared_ptr<const Model> source;
    std::map<std::string, std::vector<float>> weights;
  };

  // Convolutions may share int8 weights and differ in their scales: each has weights of its own.
  void widen(ConvOp& conv, const std::vector<float>& in_scales) {
    std::string name = conv.weight;
    while (storage_->weights.contains(name) ||
           (name != conv.weight && source_->tensors.contains(name))) {
      name = str_cat(conv.weight, ".", ++copies_);
    }
    std::vector<float>& real = storage_->weights[name];
    real = real_weights(*source_, conv, in_scales);
    result_.tensors[name] = {DType::kF32, source_->tensors.find(conv.weight)->second.shape,
                             std::as_bytes(std::span(real))};
    conv.weight = name;
    conv.accumulator_scale.clear();
  }

  std::shared_ptr<const Model> source_;
  std::shared_ptr<Storage> storage_;
  Model result_;
  int64_t copies_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Model>> dequantized(std::shared_ptr<const Model> model) {
  if (!is_quantized(model->spec.graph)) return model;
  return Dequantizer(std::move(model)).run();
}

}  // namespace yolocu
