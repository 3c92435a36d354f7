// State dictionaries: names, wrappers, and what is said of tensors that do not fit.
#include "weights/import/arch/state_dict.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "tests/import/torch_builder.h"
#include "tests/support/test_support.h"
#include "weights/format/safetensors.h"
#include "weights/import/arch/architecture.h"
#include "weights/import/arch/build.h"
#include "weights/import/arch/from_state_dict.h"

namespace yolocu {
namespace {

using testing::expect_refused;
using Shapes = std::map<std::string, std::vector<int64_t>>;

// Notes the tensors that an architecture asks for, in the shapes of its definition.
class Recorder final : public TensorSource {
 public:
  bool has(const std::string&) const override { return false; }
  Result<std::shared_ptr<const ImportedTensor>> take(const std::string& name,
                                                     const std::vector<Dim>& shape) override {
    for (const Dim& dim : shape) shapes[name].push_back(dim.extent);
    return ZeroSource().take(name, shape);
  }
  Shapes shapes;
};

// The tensors of a fused gelan-t, by the names of its state dictionary.
const Shapes& gelan_t() {
  static const Shapes shapes = [] {
    Recorder recorder;
    EXPECT_TRUE(build_checkpoint(**find_architecture("gelan-t"), recorder, 2).ok());
    return recorder.shapes;
  }();
  return shapes;
}

// A file with zeros in these shapes, its names written by `rename`.
std::vector<std::byte> safetensors_of(
    const Shapes& shapes, const std::function<std::string(const std::string&)>& rename,
    const std::vector<std::pair<std::string, std::string>>& metadata = {}) {
  const std::vector<std::byte> zeros(size_t{4} << 20);
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, shape] : shapes) {
    size_t bytes = 4;
    for (const int64_t extent : shape) bytes *= static_cast<size_t>(extent);
    entries.push_back({rename(name), DType::kF32, shape, std::span(zeros).first(bytes)});
  }
  auto file = serialize_safetensors(metadata, entries);
  EXPECT_TRUE(file.ok()) << file.status().message();
  return file.ok() ? std::move(*file) : std::vector<std::byte>();
}

std::string same(const std::string& name) {
  return name;
}

// The checkpoint's tensors are not to be looked at: the file is gone.
Result<Checkpoint> convert(const Shapes& shapes, const std::string& architecture) {
  const auto bytes = safetensors_of(shapes, same);
  YOLOCU_ASSIGN_OR_RETURN(const StateDict dict, read_safetensors_state_dict(bytes));
  return checkpoint_from_state_dict(dict, architecture);
}

TEST(StateDict, WrappersAreTakenOff) {
  const Shapes shapes = {{"model.0.conv.weight", {2, 3, 1, 1}}, {"model.0.conv.bias", {2}}};
  for (const std::string prefix : {"model.", "", "module.", "module.model.", "model.model."}) {
    SCOPED_TRACE(prefix);
    const auto bytes =
        safetensors_of(shapes, [&](const std::string& name) { return prefix + name.substr(6); });
    const auto dict = read_safetensors_state_dict(bytes);
    ASSERT_OK(dict);
    EXPECT_TRUE(dict->tensors.contains("model.0.conv.weight"));
    EXPECT_EQ(dict->name_in_file("model.0.conv.bias"), prefix + "0.conv.bias");
  }
}

TEST(StateDict, AveragesAndCountersAreLeftOut) {
  const auto bytes = safetensors_of({{"model.0.conv.weight", {1}},
                                     {"ema.model.0.conv.weight", {2}},
                                     {"model.0.bn.num_batches_tracked", {}}},
                                    same);
  const auto dict = read_safetensors_state_dict(bytes);
  ASSERT_OK(dict);
  EXPECT_EQ(dict->tensors.size(), 1u);
}

TEST(StateDict, NamesThatFitNoModelAreRefused) {
  const auto read = [](const Shapes& shapes) {
    return read_safetensors_state_dict(safetensors_of(shapes, same)).status();
  };
  expect_refused(read({{"backbone.stem.weight", {1}}}), StatusCode::kUnsupported,
                 "tensor 'backbone.stem.weight' is of no layer: expected names such as");
  expect_refused(read({{"model.0.conv.weight", {1}}, {"model.model.0.conv.weight", {1}}}),
                 StatusCode::kUnsupported, "two sets of layers, 'model.' and 'model.model.'");
  expect_refused(read({{"ema.model.0.weight", {1}}}), StatusCode::kUnsupported,
                 "no tensors of a model");
}

TEST(StateDict, ClassNamesOfMetadata) {
  const auto names = [](const std::string& text) {
    const auto bytes = safetensors_of({{"model.0.conv.weight", {1}}}, same, {{"names", text}});
    return read_safetensors_state_dict(bytes)->class_names;
  };
  EXPECT_EQ(names(R"(["a", "b c"])"), (std::vector<std::string>{"a", "b c"}));
  EXPECT_TRUE(names("[1, 2]").empty());
  EXPECT_TRUE(names("not json").empty());
}

TEST(StateDict, TorchWrappers) {
  using namespace testing::pickled;  // NOLINT: a vocabulary made for this
  const std::string tensor =
      testing::pickled_tensor(testing::pickled_storage("FloatStorage", "0", 2), 0, {2}, {1});
  const std::string tensors = record({{"model.0.conv.bias", tensor}});
  for (const std::string& object :
       {tensors, record({{"state_dict", tensors}, {"epoch", integer(3)}}),
        record({{"model", tensors}}), record({{"ema", tensors}, {"model", kNone}}),
        record({{"model_state_dict", tensors}})}) {
    const auto bytes =
        testing::torch_file(object, {{"0", testing::raw_elements<float>({1.5f, -2})}});
    auto file = TorchFile::open(bytes);
    ASSERT_OK(file);
    const PickleRef found = find_tensor_dict(file->root());
    ASSERT_NE(found, nullptr);
    const auto dict = read_torch_state_dict(*file, found);
    ASSERT_OK(dict);
    EXPECT_EQ(dict->tensors.at("model.0.conv.bias")->values(), (std::vector<float>{1.5f, -2}));
  }
}

TEST(StateDictArchitecture, GuessedFromNamesAndWidths) {
  const auto guessed = convert(gelan_t(), "");
  ASSERT_OK(guessed);
  EXPECT_EQ(guessed->architecture, "gelan-t");
  EXPECT_EQ(guessed->origin, ModuleOrigin::kStateDict);
  Recorder small;
  ASSERT_OK(build_checkpoint(**find_architecture("gelan-s"), small, 2));
  EXPECT_EQ(convert(small.shapes, "")->architecture, "gelan-s");
  EXPECT_EQ(convert(small.shapes, "gelan-t")->architecture, "gelan-t");  // topology is the same
}

TEST(StateDictArchitecture, EveryDefinitionIsGuessedFromItsOwnTensors) {
  for (const Architecture& architecture : architectures()) {
    SCOPED_TRACE(architecture.name);
    // Shapes alone: full-size weights would be gigabytes.
    class Shadow final : public TensorSource {
     public:
      explicit Shadow(StateDict* dict) : dict_(dict) {}
      bool has(const std::string&) const override { return false; }
      Result<std::shared_ptr<const ImportedTensor>> take(const std::string& name,
                                                         const std::vector<Dim>& shape) override {
        ImportedTensor tensor;
        for (const Dim& dim : shape) tensor.shape.push_back(dim.extent);
        return dict_->tensors[name] = std::make_shared<const ImportedTensor>(std::move(tensor));
      }

     private:
      StateDict* dict_;
    };
    StateDict dict;
    Shadow shadow(&dict);
    ASSERT_OK(build_checkpoint(architecture, shadow));
    const auto guessed = checkpoint_from_state_dict(dict, "");
    ASSERT_OK(guessed);
    EXPECT_EQ(guessed->architecture, architecture.name);
  }
}

TEST(StateDictArchitecture, WhatFitsNothingListsTheNames) {
  Shapes shapes = gelan_t();
  shapes.erase("model.0.conv.bias");
  expect_refused(convert(shapes, "").status(), StatusCode::kUnsupported,
                 "fit no architecture; name one with --arch to see what differs: gelan-t, gelan-s");
}

TEST(StateDictArchitecture, UnknownNameIsRefused) {
  expect_refused(convert(gelan_t(), "yolov3").status(), StatusCode::kInvalidArgument,
                 "no architecture 'yolov3'");
}

TEST(StateDictArchitecture, TensorsThatDoNotFitAreNamed) {
  const auto refusal = [](const std::string& name, std::vector<int64_t> shape,
                          const std::string& architecture = "gelan-t") {
    Shapes shapes = gelan_t();
    if (shape.empty()) {
      shapes.erase(name);
    } else {
      shapes[name] = std::move(shape);
    }
    return convert(shapes, architecture).status();
  };
  const auto expect = [](const Status& status, const std::string& message) {
    expect_refused(status, StatusCode::kCorrupt, message);
    EXPECT_EQ(status.message(), message);
  };
  expect(refusal("model.1.conv.weight", {}),
         "gelan-t: tensor 'model.1.conv.weight' is missing: expected [*,16,3,3]");
  expect(refusal("model.1.conv.weight", {32, 8, 3, 3}),
         "gelan-t: tensor 'model.1.conv.weight': expected [*,16,3,3], got [32,8,3,3]");
  expect(refusal("model.0.conv.bias", {15}),
         "gelan-t: tensor 'model.0.conv.bias': expected [16], got [15]");
  expect(refusal("model.22.cv3.1.2.weight", {3, 80, 1, 1}),
         "gelan-t: tensor 'model.22.cv3.1.2.weight': expected [*,64,1,1], got [3,80,1,1]");
  expect(refusal("model.22.cv2.0.1.conv.weight", {64, 48, 3, 3}),
         "gelan-t: tensor 'model.22.cv2.0.1.conv.weight': expected [*,64/groups,3,3], got "
         "[64,48,3,3]");
  expect(refusal("model.99.conv.weight", {2, 2, 1, 1}),
         "gelan-t: tensor 'model.99.conv.weight' [2,2,1,1] has no place in this architecture");
  expect(refusal("model.4.cv2.0.m.3.cv2.conv.weight", {32, 32, 3, 3}),
         "gelan-t: tensor 'model.4.cv2.0.m.3.cv1.conv.weight' is missing: expected [*,16,3,3]");
}

}  // namespace
}  // namespace yolocu
