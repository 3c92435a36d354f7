// From a .pt file to a module tree: read_torch_checkpoint() and the accessors of Module.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "tests/import/checkpoint_file.h"
#include "tests/import/torch_builder.h"
#include "tests/support/test_support.h"
#include "weights/import/module_tree.h"

namespace yolocu {
namespace {

using namespace testing;           // NOLINT: builders of files
using namespace testing::pickled;  // NOLINT

PickledModule detection_model(std::vector<std::pair<std::string, std::string>> children = {}) {
  return {.module = "models.yolo", .name = "DetectionModel", .children = std::move(children)};
}

CheckpointFile read(const std::string& object,
                    const std::vector<std::pair<std::string, std::string>>& storages = {}) {
  return CheckpointFile(torch_file(object, storages));
}

CheckpointFile read_model(const PickledModule& model) {
  return read(record({{"model", pickled_module(model)}}));
}

void expect_refused(const CheckpointFile& result, StatusCode code, const std::string& fragment) {
  testing::expect_refused(result.status(), code, fragment);
}

// A convolution with a weight, a head with its strides, a module shared by two parents.
std::string sample() {
  const std::string act = pickled_module({.module = "torch.nn.modules.activation", .name = "SiLU"});
  const std::string weight = pickled_parameter(
      pickled_tensor(pickled_storage("HalfStorage", "0", 2), 0, {2, 1, 1, 1}, {1, 1, 1, 1}));
  const std::string strides = pickled_tensor(pickled_storage("FloatStorage", "1", 3), 0, {3}, {1});
  const PickledModule conv = {
      .parameters = {{"weight", weight}, {"bias", kNone}},
      .children = {{"act", remember(act, 9)}, {"bn", kNone}},
      .state = {{"f", list({integer(-1), integer(4)})},
                {"kernel_size", tuple({integer(3), integer(3)})},
                {"eps", real(1e-3)},
                {"whole", real(2.0)},
                {"padding_mode", text("zeros")},
                {"inplace", kTrue},
                {"i", integer(0)},
                {"shape", reduce(global("torch", "Size"), {integers({1, 3})})},
                {"other", recall(9)},
                {"nothing", kNone},
                {"nested", list({list({integer(1)})})},
                {"forward",
                 reduce(global("__builtin__", "getattr"), {recall(9), text("forward_fuse")})}}};
  const PickledModule head = {.module = "models.yolo",
                              .name = "DDetect",
                              .buffers = {{"anchors", strides}},
                              .children = {{"act", recall(9)}},
                              .state = {{"stride", strides}}};
  PickledModule layers = {.module = "torch.nn.modules.container",
                          .name = "Sequential",
                          .children = {{"0", pickled_module(conv)}, {"10", pickled_module(head)}}};
  PickledModule model = detection_model({{"model", pickled_module(layers)}});
  model.state = {{"names", dict({integer(1), text("dog"), integer(0), text("traffic light")})},
                 {"yaml_file", text("models/detect/gelan-c.yaml")}};
  return record({{"epoch", integer(-1)}, {"model", pickled_module(model)}, {"ema", kNone}});
}

const std::vector<std::pair<std::string, std::string>> kSampleStorages = {
    {"0", raw_elements<uint16_t>({0x3C00, 0xC100})}, {"1", raw_elements<float>({8, 16, 32})}};

TEST(TorchCheckpoint, TreeOfModules) {
  const auto checkpoint = read(sample(), kSampleStorages);
  ASSERT_OK(checkpoint);
  EXPECT_EQ(checkpoint->dialect, Dialect::kYolov9);
  EXPECT_EQ(checkpoint->architecture, "gelan-c");
  EXPECT_EQ(checkpoint->class_names, (std::vector<std::string>{"traffic light", "dog"}));
  const Module& model = checkpoint->model;
  EXPECT_EQ(model.type, "models.yolo.DetectionModel");
  EXPECT_EQ(model.type_name(), "DetectionModel");
  EXPECT_EQ(model.path, "");
  const Module* layers = model.child("model");
  ASSERT_NE(layers, nullptr);
  ASSERT_EQ(layers->children.size(), 2u);
  EXPECT_EQ(layers->children[0].first, "0");
  EXPECT_EQ(layers->children[1].first, "10");  // in the file's order, not sorted
  EXPECT_EQ(layers->children[1].second.path, "model.10");
  EXPECT_EQ(layers->children[1].second.type_name(), "DDetect");
  EXPECT_EQ(layers->child("1"), nullptr);
}

TEST(TorchCheckpoint, TensorsOfParametersBuffersAndAttributes) {
  const auto checkpoint = read(sample(), kSampleStorages);
  ASSERT_OK(checkpoint);
  const Module* layers = checkpoint->model.child("model");
  const ImportedTensor* weight = layers->child("0")->tensor("weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->shape, (std::vector<int64_t>{2, 1, 1, 1}));
  EXPECT_EQ(weight->values(), (std::vector<float>{1.0f, -2.5f}));
  EXPECT_EQ(weight->source_dtype, DType::kF16);
  EXPECT_EQ(layers->child("0")->tensor("bias"), nullptr);
  const Module* head = layers->child("10");
  ASSERT_NE(head->tensor("stride"), nullptr);
  EXPECT_EQ(head->tensor("stride")->values(), (std::vector<float>{8, 16, 32}));
  ASSERT_NE(head->tensor("anchors"), nullptr);
}

TEST(TorchCheckpoint, SharedModulesAreCopied) {
  const auto checkpoint = read(sample(), kSampleStorages);
  ASSERT_OK(checkpoint);
  const Module* layers = checkpoint->model.child("model");
  const Module* conv = layers->child("0");
  ASSERT_NE(conv->child("act"), nullptr);
  EXPECT_EQ(conv->child("act")->path, "model.0.act");
  EXPECT_EQ(conv->child("bn"), nullptr);
  EXPECT_EQ(conv->children.size(), 1u);  // `other` is a module outside of _modules
  ASSERT_NE(layers->child("10")->child("act"), nullptr);
  EXPECT_EQ(layers->child("10")->child("act")->path, "model.10.act");
}

TEST(TorchCheckpoint, PlainAttributes) {
  const auto checkpoint = read(sample(), kSampleStorages);
  ASSERT_OK(checkpoint);
  const Module& conv = *checkpoint->model.child("model")->child("0");
  EXPECT_EQ(conv.integers("f"), (std::vector<int64_t>{-1, 4}));
  EXPECT_EQ(conv.integers("kernel_size"), (std::vector<int64_t>{3, 3}));
  EXPECT_EQ(conv.integers("shape"), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(conv.integers("i"), (std::vector<int64_t>{0}));
  EXPECT_EQ(conv.integers("eps"), std::nullopt);
  EXPECT_EQ(conv.integer("i"), 0);
  EXPECT_EQ(conv.integer("inplace"), 1);
  EXPECT_EQ(conv.integer("whole"), 2);
  EXPECT_EQ(conv.integer("eps"), std::nullopt);
  EXPECT_EQ(conv.integer("padding_mode"), std::nullopt);
  EXPECT_EQ(conv.number("eps"), 1e-3);
  EXPECT_EQ(conv.number("i"), 0.0);
  EXPECT_EQ(conv.number("f"), std::nullopt);
  EXPECT_EQ(conv.text("padding_mode"), "zeros");
  EXPECT_EQ(conv.text("i"), std::nullopt);
  EXPECT_EQ(conv.text("forward"), "forward_fuse");
  for (const char* absent : {"nothing", "nested", "other", "_forward_hooks", "_modules", "never"}) {
    EXPECT_FALSE(conv.attributes.contains(absent)) << absent;
  }
}

TEST(TorchCheckpoint, NumbersThatAreNoIntegers) {
  PickledModule model = detection_model();
  model.state = {{"nan", real(std::nan(""))}, {"huge", real(1e300)}, {"half", list({real(0.5)})}};
  const auto checkpoint = read_model(model);
  ASSERT_OK(checkpoint);
  EXPECT_EQ(checkpoint->model.integer("nan"), std::nullopt);
  EXPECT_EQ(checkpoint->model.integer("huge"), std::nullopt);
  EXPECT_EQ(checkpoint->model.integers("half"), std::nullopt);
}

TEST(TorchCheckpoint, EmaIsPreferredToModel) {
  PickledModule plain = detection_model();
  plain.state = {{"which", text("model")}};
  PickledModule average = plain;
  average.state = {{"which", text("ema")}};
  const std::string model = pickled_module(plain);
  const std::string ema = pickled_module(average);
  EXPECT_EQ(read(record({{"model", model}, {"ema", ema}}))->model.text("which"), "ema");
  EXPECT_EQ(read(record({{"model", kNone}, {"ema", ema}}))->model.text("which"), "ema");
  EXPECT_EQ(read(record({{"model", model}, {"ema", kNone}}))->model.text("which"), "model");
  EXPECT_EQ(read(record({{"model", model}}))->model.text("which"), "model");
  EXPECT_EQ(read(model)->model.text("which"), "model");  // torch.save(model)
}

TEST(TorchCheckpoint, Dialects) {
  EXPECT_EQ(read_model({.module = "models.yolo", .name = "Model"})->dialect, Dialect::kYolov7);
  EXPECT_EQ(read_model({.module = "ultralytics.nn.tasks", .name = "DetectionModel"})->dialect,
            Dialect::kUltralytics);
  expect_refused(read_model({.module = "models.yolo", .name = "SegmentationModel"}),
                 StatusCode::kUnsupported, "models.yolo SegmentationModel");
  expect_refused(read_model({.module = "models.common", .name = "DetectionModel"}),
                 StatusCode::kUnsupported, "model class");
}

TEST(TorchCheckpoint, ClassNames) {
  const auto with_names = [](const std::string& names) {
    PickledModule model = detection_model();
    model.state = {{"names", names}};
    return read_model(model);
  };
  EXPECT_EQ(with_names(list({text("a"), text("b")}))->class_names,
            (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(with_names(kNone)->class_names.empty());
  EXPECT_TRUE(with_names("}")->class_names.empty());
  EXPECT_TRUE(read_model(detection_model())->class_names.empty());
  expect_refused(with_names(dict({integer(0), text("a"), integer(2), text("c")})),
                 StatusCode::kCorrupt, "class names: expected number 1, got 2");
  expect_refused(with_names(dict({integer(-1), text("a")})), StatusCode::kCorrupt,
                 "expected number 0, got -1");
  expect_refused(with_names(dict({text("0"), text("a")})), StatusCode::kCorrupt, "not an integer");
  expect_refused(with_names(list({integer(3)})), StatusCode::kCorrupt, "number 0 is not a text");
  expect_refused(with_names(list({text(std::string(5000, 'x'))})), StatusCode::kCorrupt,
                 "reasonable length");
}

TEST(TorchCheckpoint, Architecture) {
  const auto from = [](const std::vector<std::pair<std::string, std::string>>& state) {
    PickledModule model = detection_model();
    model.state = state;
    return read_model(model)->architecture;
  };
  EXPECT_EQ(from({{"yaml_file", text("yolov9-c.yaml")}}), "yolov9-c");
  EXPECT_EQ(from({{"yaml_file", text("C:\\cfg\\gelan-t.yml")}}), "gelan-t");
  EXPECT_EQ(from({{"yaml", record({{"yaml_file", text("yolov9t.yaml")}})}}), "yolov9t");
  EXPECT_EQ(from({{"yaml", record({})}}), "");
  EXPECT_EQ(from({{"yaml_file", integer(3)}}), "");
  EXPECT_EQ(from({}), "");
}

TEST(TorchCheckpoint, FilesWithoutAModelSaySo) {
  expect_refused(read(record({{"model", integer(1)}})), StatusCode::kUnsupported, "no module");
  expect_refused(read(record({})), StatusCode::kUnsupported, "no module");
  expect_refused(read(list({})), StatusCode::kUnsupported, "neither a dictionary nor a model");
  expect_refused(read(kNone), StatusCode::kUnsupported, "neither a dictionary nor a model");
}

TEST(TorchCheckpoint, EntriesThatAreNotWhatTheirDictionarySays) {
  const auto refuse = [](PickledModule child, const std::string& fragment) {
    expect_refused(read_model(detection_model({{"model", pickled_module(child)}})),
                   StatusCode::kCorrupt, fragment);
  };
  refuse({.parameters = {{"weight", integer(3)}}},
         "module 'model': parameter 'weight' is not a named tensor");
  refuse({.buffers = {{"mean", text("0")}}}, "parameter 'mean'");
  refuse({.children = {{"0", text("Conv")}}}, "module 'model': child '0' is not a module");
  refuse({.children = {{"", pickled_module({})}}}, "child '' is not a module with a name");
  refuse({.children = {{"0", pickled_module({})}, {"0", pickled_module({})}}}, "name of its own");
  const std::string outside = pickled_tensor(pickled_storage("FloatStorage", "7", 1), 0, {1}, {1});
  refuse({.parameters = {{"weight", outside}}}, "model.weight: storage '7'");
}

TEST(TorchCheckpoint, ModulesWithoutStateAreEmpty) {
  const std::string cls = global("models.yolo", "DetectionModel") + ")\x81";
  for (const std::string& object :
       {cls, cls + "Nb", cls + ")b", cls + tuple({kNone, kNone}) + "b"}) {
    const auto checkpoint = read(record({{"model", object}}));
    ASSERT_OK(checkpoint);
    EXPECT_TRUE(checkpoint->model.children.empty());
  }
}

// _modules of `inner` refers back to the module that is being built.
TEST(TorchCheckpoint, ModulesThatContainThemselves) {
  const std::string cls = remember(global("models.yolo", "DetectionModel") + ")\x81", 3);
  const std::string inner = pickled_module({.children = {{"back", recall(3)}}});
  const std::string object = cls + record({{"_modules", record({{"m", inner}})}}) + "b";
  expect_refused(read(object), StatusCode::kCorrupt, "module 'm.back' contains itself");
}

TEST(TorchCheckpoint, ModulesNestedTooDeep) {
  std::string module = pickled_module({});
  for (int depth = 0; depth < 62; ++depth) module = pickled_module({.children = {{"m", module}}});
  EXPECT_TRUE(read_model(detection_model({{"m", module}})).ok());
  module = pickled_module({.children = {{"m", module}}});
  expect_refused(read_model(detection_model({{"m", module}})), StatusCode::kCorrupt,
                 "nested deeper than 64");
}

// Forty levels that each hold the next level twice: 2^40 modules in a few kilobytes.
TEST(TorchCheckpoint, SharedModulesCannotExplode) {
  std::string module = pickled_module({});
  for (uint8_t level = 1; level <= 40; ++level) {
    module = pickled_module({.children = {{"a", remember(module, level)}, {"b", recall(level)}}});
  }
  expect_refused(read_model(detection_model({{"m", module}})), StatusCode::kResourceExhausted,
                 "more than 100000 modules");
}

// Reads the sample with its pickle changed but its container intact, as no checksum protects it
// from who writes the file.
TEST(TorchCheckpoint, SurvivesDamagedPickles) {
  const std::string pickle = sample();
  std::mt19937 random(7);
  size_t refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = pickle;
    for (int k = 0; k <= round % 3; ++k) {
      damaged[random() % damaged.size()] = static_cast<char>(random() % 256);
    }
    refused += read(damaged, kSampleStorages).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 300u);
  EXPECT_LT(refused, 3000u);
}

}  // namespace
}  // namespace yolocu
