#include "engine/quantize/fake_quantizer.h"

#include <variant>

namespace yolocu::quantize {
namespace {

// The others copy int8 values, or choose among them.
bool computes(const Op& op) {
  return std::holds_alternative<ConvOp>(op) || std::holds_alternative<AddOp>(op) ||
         std::holds_alternative<AvgPoolOp>(op);
}

}  // namespace

Result<std::shared_ptr<FakeQuantizer>> FakeQuantizer::create(const Model& model) {
  const Graph& graph = model.spec.graph;
  YOLOCU_ASSIGN_OR_RETURN(const auto shapes, infer_shapes(graph));
  YOLOCU_ASSIGN_OR_RETURN(const auto scales, infer_scales(graph, shapes));
  auto quantizer = std::make_shared<FakeQuantizer>();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const bool rounds = computes(graph.nodes[i].op);
    quantizer->scales_.push_back(rounds ? scale_of_channels(scales[i]) : std::vector<float>());
  }
  return quantizer;
}

void FakeQuantizer::observe(const ObservedValue& value) {
  const std::vector<float>& scales = scales_[static_cast<size_t>(value.node)];
  if (scales.empty()) return;
  const int64_t pixels = value.height * value.width, block = value.block;
  // Padding is zero, which any scale keeps.
  std::vector<float> padded(static_cast<size_t>(value.layout->padded_channels()), 1.0f);
  for (size_t c = 0; c < scales.size(); ++c) {
    padded[static_cast<size_t>(value.layout->position(static_cast<int64_t>(c)))] = scales[c];
  }
  std::vector<float> inverse(static_cast<size_t>(block));
  for (int64_t begin = 0; begin < value.layout->padded_channels(); begin += block) {
    const float* const scale = padded.data() + begin;
    for (int64_t c = 0; c < block; ++c) inverse[static_cast<size_t>(c)] = 1 / scale[c];
    float* pixel = value.data + begin * pixels;
    for (int64_t p = 0; p < pixels; ++p, pixel += block) {
      for (int64_t c = 0; c < block; ++c) {
        pixel[c] = scale[c] * round_to_units(pixel[c], inverse[static_cast<size_t>(c)]);
      }
    }
  }
}

}  // namespace yolocu::quantize
