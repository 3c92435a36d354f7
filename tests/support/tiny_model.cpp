#include "tests/support/tiny_model.h"

#include <vector>

namespace yolocu::testing {
namespace {

struct Storage {
  std::vector<float> stem_weight = std::vector<float>(2 * 2 * 2 * 3, 0.5f);
  std::vector<float> box_weight = std::vector<float>(8 * 2, 0.0f);
  std::vector<float> box_bias = std::vector<float>(8, 0.0f);
  std::vector<float> class_weight = {1, 0, 0, 1};
  std::vector<float> class_bias = {1, 1};
};

TensorView view(std::vector<int64_t> shape, const std::vector<float>& values) {
  return {DType::kF32, std::move(shape), std::as_bytes(std::span(values))};
}

}  // namespace

std::shared_ptr<const Model> tiny_model() {
  const auto storage = std::make_shared<Storage>();
  auto model = std::make_shared<Model>();
  model->storage = storage;
  model->tensors["stem.weight"] = view({2, 2, 2, 3}, storage->stem_weight);
  model->tensors["box.weight"] = view({8, 1, 1, 2}, storage->box_weight);
  model->tensors["box.bias"] = view({8}, storage->box_bias);
  model->tensors["class.weight"] = view({2, 1, 1, 2}, storage->class_weight);
  model->tensors["class.bias"] = view({2}, storage->class_bias);
  ModelSpec& spec = model->spec;
  spec.architecture = "tiny";
  spec.class_names = {"first", "second"};
  spec.input_size = 8;
  spec.graph.nodes = {
      {"input", {}, InputOp{}},
      {"stem", {0}, ConvOp{.out_channels = 2, .kernel = 2, .stride = 2, .weight = "stem.weight"}},
      {"box", {1}, ConvOp{.out_channels = 8, .weight = "box.weight", .bias = "box.bias"}},
      {"class", {1}, ConvOp{.out_channels = 2, .weight = "class.weight", .bias = "class.bias"}},
      {"decode", {2, 3}, DecodeDflOp{.classes = 2, .bins = 2, .strides = {2}}},
  };
  return model;
}

std::shared_ptr<const Model> tiny_anchor_model() {
  struct Head {
    std::vector<float> weight = std::vector<float>(7 * 2 * 2 * 3, 0.0f);
    std::vector<float> bias = {0, 0, 0, 0, 0, 0, 100};
  };
  const auto head = std::make_shared<Head>();
  auto model = std::make_shared<Model>();
  model->storage = head;
  model->tensors["head.weight"] = view({7, 2, 2, 3}, head->weight);
  model->tensors["head.bias"] = view({7}, head->bias);
  model->spec.architecture = "tiny-anchor";
  model->spec.class_names = {"first", "second"};
  model->spec.input_size = 8;
  const ConvOp conv{
      .out_channels = 7, .kernel = 2, .stride = 2, .weight = "head.weight", .bias = "head.bias"};
  model->spec.graph.nodes = {
      {"input", {}, InputOp{}},
      {"head", {0}, conv},
      {"decode", {1}, DecodeAnchorOp{.classes = 2, .strides = {2}, .anchors = {{4, 4}}}},
  };
  return model;
}

}  // namespace yolocu::testing
