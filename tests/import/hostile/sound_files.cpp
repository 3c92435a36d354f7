// What the hostile files are made from.
#include <map>

#include "tests/import/hostile/hostile_corpus.h"
#include "tests/import/module_builder.h"
#include "weights/format/safetensors.h"
#include "weights/import/arch/architecture.h"
#include "weights/import/arch/build.h"

namespace yolocu::testing {
namespace {

// Notes the tensors that an architecture asks for.
class Recorder final : public TensorSource {
 public:
  bool has(const std::string&) const override { return false; }
  Result<std::shared_ptr<const ImportedTensor>> take(const std::string& name,
                                                     const std::vector<Dim>& shape) override {
    for (const Dim& dim : shape) shapes[name].push_back(dim.extent);
    return ZeroSource().take(name, shape);
  }
  std::map<std::string, std::vector<int64_t>> shapes;
};

Module rep_conv(int64_t channels) {
  return make_module("models.common.RepConvN", "model.1",
                     {{"conv1", make_conv("model.1.conv1", {channels, channels, 3}, 5, "Identity")},
                      {"conv2", make_conv("model.1.conv2", {channels, channels, 1}, 6, "Identity")},
                      {"act", make_module("torch.nn.modules.activation.SiLU", "model.1.act")}});
}

Module implicit(const std::string& type, int64_t channels) {
  Module module = make_module("models.common." + type, "");
  module.tensors["implicit"] =
      imported({1, channels, 1, 1}, std::vector<float>(static_cast<size_t>(channels), 1.25f));
  return module;
}

}  // namespace

Module sound_yolov9() {
  Module head = make_module("models.yolo.DDetect", "model.2",
                            {{"cv2", make_list("", {make_conv2d("", {16, 8}, 7)})},
                             {"cv3", make_list("", {make_conv2d("", {2, 8}, 8)})}});
  head.attributes["nc"] = int64_t{2};
  head.attributes["reg_max"] = int64_t{4};
  head.tensors["stride"] = imported({1}, {2.0f});
  return make_model({as_layer(make_conv("model.0", {8, 3, 3, 2}, 1), {-1}),
                     as_layer(rep_conv(8), {-1}), as_layer(std::move(head), {-1})});
}

Module sound_yolov7() {
  Module head = make_module("models.yolo.IDetect", "model.1",
                            {{"m", make_list("", {make_conv2d("", {21, 8}, 7)})},
                             {"ia", make_list("", {implicit("ImplicitA", 8)})},
                             {"im", make_list("", {implicit("ImplicitM", 21)})}});
  head.attributes["nc"] = int64_t{2};
  head.tensors["stride"] = imported({1}, {2.0f});
  head.tensors["anchor_grid"] = imported({1, 1, 3, 1, 1, 2}, {4, 5, 8, 9, 16, 12});
  Module root = make_model(
      {as_layer(make_conv("model.0", {8, 3, 3, 2}, 1), {-1}), as_layer(std::move(head), {-1})});
  root.type = "models.yolo.Model";
  return root;
}

Module sound_state_dict() {
  Recorder recorder;
  EXPECT_TRUE(build_checkpoint(**find_architecture("gelan-t"), recorder, 2).ok());
  static const std::vector<std::byte> zeros(size_t{1} << 20);
  Module dictionary;
  for (const auto& [name, shape] : recorder.shapes) {
    ImportedTensor tensor{.shape = shape,
                          .strides = std::vector<int64_t>(shape.size(), 1),
                          .source_dtype = DType::kU8,
                          .storage = {}};
    int64_t count = 1;
    for (size_t d = shape.size(); d-- > 0; count *= shape[d]) tensor.strides[d] = count;
    tensor.storage = std::span(zeros).first(static_cast<size_t>(count));
    dictionary.tensors[name] = std::make_shared<const ImportedTensor>(std::move(tensor));
  }
  return dictionary;
}

std::vector<std::byte> safetensors_file(const Module& dictionary) {
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, tensor] : dictionary.tensors) {
    entries.push_back({name, tensor->source_dtype, tensor->shape, tensor->storage});
  }
  auto file = serialize_safetensors({}, entries);
  EXPECT_TRUE(file.ok());
  return file.ok() ? std::move(*file) : std::vector<std::byte>();
}

std::vector<HostileFile> hostile_corpus() {
  std::vector<HostileFile> all;
  for (auto* part : {hostile_containers, hostile_pickles, hostile_tensors, hostile_modules}) {
    for (HostileFile& file : part()) all.push_back(std::move(file));
  }
  return all;
}

void PrintTo(const HostileFile& file, std::ostream* out) {
  *out << file.name;
}

}  // namespace yolocu::testing
