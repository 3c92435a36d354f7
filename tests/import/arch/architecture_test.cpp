// The definitions against the layer tables and tensor shapes that the official code printed.
#include "weights/import/arch/architecture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/test_support.h"
#include "weights/import/arch/build.h"
#include "weights/import/arch/tensor_source.h"

namespace yolocu {
namespace {

using nlohmann::json;

// The architectures whose full-size definition is in the reference data.
const std::vector<std::string> kDescribed = {
    "gelan-t",  "gelan-s",   "gelan-m",   "gelan-c",   "gelan-e",     "yolov9-t",
    "yolov9-s", "yolov9-m",  "yolov9-c",  "yolov9-e",  "yolov7-tiny", "yolov7",
    "yolov7x",  "yolov7-w6", "yolov7-e6", "yolov7-d6", "yolov7-e6e"};

json description_of(const std::string& name) {
  return json::parse(std::ifstream(testing::shared_dir() + "/golden/c/" + name + "/model.json"));
}

// Has the official tensors' shapes, no values, and expects each to be asked for in its very shape.
class OfficialShapes final : public TensorSource {
 public:
  explicit OfficialShapes(const json& description) {
    for (const json& row : description["tensors"]) {
      shapes_[row[0].get<std::string>()] = row[1].get<std::vector<int64_t>>();
    }
  }

  bool has(const std::string& name) const override { return shapes_.contains(name); }

  Result<std::shared_ptr<const ImportedTensor>> take(const std::string& name,
                                                     const std::vector<Dim>& shape) override {
    std::vector<int64_t> asked;
    for (const Dim& dim : shape) asked.push_back(dim.extent);
    EXPECT_TRUE(shapes_.contains(name)) << name;
    EXPECT_EQ(asked, shapes_[name]) << name;
    EXPECT_TRUE(taken_.insert(name).second) << name << " is asked for twice";
    ImportedTensor tensor;
    tensor.shape = shapes_[name];
    return std::make_shared<const ImportedTensor>(std::move(tensor));
  }

  void expect_all_taken() const {
    for (const auto& [name, shape] : shapes_) {
      if (name.ends_with("num_batches_tracked")) continue;
      EXPECT_TRUE(taken_.contains(name)) << name;
    }
  }

 private:
  std::map<std::string, std::vector<int64_t>> shapes_;
  std::set<std::string> taken_;
};

class OfficialArchitecture : public ::testing::TestWithParam<std::string> {};

TEST_P(OfficialArchitecture, HasTheOfficialLayers) {
  YOLOCU_REQUIRE_SHARED("golden/c");
  const auto architecture = find_architecture(GetParam());
  ASSERT_OK(architecture);
  const json layers = description_of(GetParam())["layers"];
  ASSERT_EQ((*architecture)->layers.size(), layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerSpec& layer = (*architecture)->layers[i];
    const json& from = layers[i]["from"];
    std::vector<int64_t> sources =
        from.is_array() ? from.get<std::vector<int64_t>>() : std::vector<int64_t>{from};
    EXPECT_TRUE(layers[i]["type"].get<std::string>().ends_with("." + std::string(layer.module)))
        << i << ": " << layers[i]["type"] << ", defined as " << layer.module;
    // Numbers and backward counts may name the same layer.
    std::vector<int64_t> defined = layer.from;
    for (std::vector<int64_t>* list : {&sources, &defined}) {
      for (int64_t& s : *list) s = s < 0 ? static_cast<int64_t>(i) + s : s;
    }
    EXPECT_EQ(defined, sources) << i;
  }
}

TEST_P(OfficialArchitecture, HasTheOfficialTensors) {
  YOLOCU_REQUIRE_SHARED("golden/c");
  const auto architecture = find_architecture(GetParam());
  ASSERT_OK(architecture);
  OfficialShapes source(description_of(GetParam()));
  const auto checkpoint = build_checkpoint(**architecture, source);
  ASSERT_OK(checkpoint);
  source.expect_all_taken();
  EXPECT_EQ(width_distance(*checkpoint, **architecture), 0.0);
  EXPECT_EQ(checkpoint->model.child("model")->children.back().second.integer("nc"), 80);
}

INSTANTIATE_TEST_SUITE_P(All, OfficialArchitecture, ::testing::ValuesIn(kDescribed),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Architectures, HaveDifferentNamesAndKnownModules) {
  std::set<std::string_view> names;
  for (const Architecture& architecture : architectures()) {
    SCOPED_TRACE(architecture.name);
    EXPECT_TRUE(names.insert(architecture.name).second);
    EXPECT_TRUE(architecture.layers.back().module.ends_with("Detect"));
  }
  EXPECT_EQ(names.size(), 24u);
  EXPECT_TRUE(names.contains("yolov9-cf"));
  EXPECT_TRUE(names.contains("yolov7-af"));
}

TEST(Architectures, UnknownNameListsAll) {
  const auto none = find_architecture("yolov8");
  testing::expect_refused(none.status(), StatusCode::kInvalidArgument,
                          "no architecture 'yolov8'; there are gelan-t, gelan-s, ");
}

TEST(Architectures, TopologyIgnoresWidths) {
  const auto named = [](std::string_view name) -> const Architecture& {
    return **find_architecture(name);
  };
  EXPECT_TRUE(same_topology(named("gelan-t"), named("gelan-s")));
  EXPECT_TRUE(same_topology(named("yolov9-t"), named("yolov9-s")));
  EXPECT_TRUE(same_topology(named("yolov9-m"), named("yolov9-m")));
  EXPECT_FALSE(same_topology(named("gelan-t"), named("gelan-m")));
  EXPECT_FALSE(same_topology(named("gelan-t"), named("v9-t")));
  EXPECT_FALSE(same_topology(named("yolov7-af"), named("yolov7")));
}

TEST(Architectures, DeployFormHasNoAuxiliaryLayers) {
  const Architecture deployed = deploy_form(**find_architecture("yolov7-w6"));
  EXPECT_EQ(deployed.layers.size(), 119u);
  EXPECT_EQ(deployed.layers.back().module, "IDetect");
  EXPECT_EQ(deployed.layers.back().from, (std::vector<int64_t>{114, 115, 116, 117}));
}

}  // namespace
}  // namespace yolocu
