#include "weights/import/arch/build.h"

#include <cmath>
#include <utility>
#include <vector>

#include "engine/base/str_cat.h"
#include "weights/import/arch/module_maker.h"
#include "weights/import/arch/modules.h"

namespace yolocu {
namespace {

// Makes the layers in order, and keeps what each of them produces.
class LayerBuilder {
 public:
  LayerBuilder(const Architecture& architecture, TensorSource& source, int64_t classes)
      : maker_(source, architecture), classes_(classes) {}

  Status add(const LayerSpec& spec) {
    const std::string path = str_cat("model.", layers_.size());
    const LayerRule rule = find_layer_rule(spec.module);
    if (rule == nullptr) return unsupported(str_cat("no rule for module '", spec.module, "'"));
    LayerContext context{.path = path, .spec = spec, .in = input_channels(spec)};
    context.classes = classes_;
    YOLOCU_ASSIGN_OR_RETURN(MadeLayer made, rule(maker_, context));
    made.module.attributes["f"] = std::vector<double>(spec.from.begin(), spec.from.end());
    layers_.push_back(std::move(made));
    if (spec.module == "CBFuse") return settle_slices(spec);
    return {};
  }

  // The layers as children of one module.
  Module finish() {
    Module list = bare_module("torch.nn.modules.container.Sequential", "model");
    for (size_t i = 0; i < layers_.size(); ++i) {
      store_slices(layers_[i]);
      adopt(list, str_cat(i), {std::move(layers_[i].module), 0});
    }
    return list;
  }

 private:
  // Number of the layer that `from` means for the next layer to be added; -1: the picture.
  int64_t source(int64_t from) const {
    return from < 0 ? static_cast<int64_t>(layers_.size()) + from : from;
  }

  std::vector<int64_t> input_channels(const LayerSpec& spec) const {
    std::vector<int64_t> channels;
    for (const int64_t from : spec.from) {
      const int64_t layer = source(from);
      const std::vector<int64_t> picture{3};
      const auto& produced = layer < 0 ? picture : layers_[static_cast<size_t>(layer)].channels;
      int64_t sum = 0;
      for (const int64_t part : produced) sum += part;
      channels.push_back(sum);
    }
    return channels;
  }

  // The slices that the CBFuse just added picks are as wide as what it adds them to.
  Status settle_slices(const LayerSpec& spec) {
    const int64_t width = layers_.back().channels[0];
    for (size_t i = 0; i < spec.setting.size(); ++i) {
      const int64_t from = spec.from[i];
      MadeLayer& linear = layers_[static_cast<size_t>(from)];
      int64_t& slice = linear.channels[static_cast<size_t>(spec.setting[i])];
      if (slice == 0) slice = width;
      if (slice != width) {
        return corrupt(str_cat("layer ", linear.module.path, " (CBLinear): a slice of ", slice,
                               " channels is added to ", width));
      }
    }
    return {};
  }

  // Writes the slices of a CBLinear into its module. The lowering checks their sum.
  static void store_slices(MadeLayer& layer) {
    if (layer.module.type_name() != "CBLinear") return;
    layer.module.attributes["c2s"] =
        std::vector<double>(layer.channels.begin(), layer.channels.end());
  }

  ModuleMaker maker_;
  int64_t classes_;
  std::vector<MadeLayer> layers_;
};

// Channels of the last convolution of a layer in the official model; 0 where a layer has none or
// joins two.
int64_t official_width(const LayerSpec& spec) {
  const bool joins = spec.module == "ADown" || spec.module == "DownC" || spec.module == "CBLinear";
  return joins || spec.widths.empty() ? 0 : spec.widths[0];
}

// The output channels of the last convolution of a module; 0 if it has none.
int64_t last_width(const Module& module) {
  if (const ImportedTensor* weight = module.tensor("weight"); weight != nullptr) {
    return weight->shape.size() == 4 ? weight->shape[0] : 0;
  }
  for (auto child = module.children.rbegin(); child != module.children.rend(); ++child) {
    if (const int64_t width = last_width(child->second); width > 0) return width;
  }
  return 0;
}

}  // namespace

Result<Checkpoint> build_checkpoint(const Architecture& architecture, TensorSource& source,
                                    int64_t classes) {
  LayerBuilder builder(architecture, source, classes);
  for (const LayerSpec& spec : architecture.layers) YOLOCU_RETURN_IF_ERROR(builder.add(spec));
  Checkpoint checkpoint;
  checkpoint.dialect = architecture.dialect;
  checkpoint.architecture = architecture.name;
  checkpoint.model = bare_module("models.yolo.Model", "");
  adopt(checkpoint.model, "model", {builder.finish(), 0});
  return checkpoint;
}

double width_distance(const Checkpoint& checkpoint, const Architecture& architecture) {
  const Module* layers = checkpoint.model.child("model");
  double distance = 0;
  for (size_t i = 0; i < architecture.layers.size(); ++i) {
    const int64_t official = official_width(architecture.layers[i]);
    const int64_t actual = last_width(layers->children[i].second);
    if (official == 0 || actual == 0) continue;
    distance += std::fabs(std::log(static_cast<double>(actual) / static_cast<double>(official)));
  }
  return distance;
}

}  // namespace yolocu
