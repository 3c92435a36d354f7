#include "weights/import/arch/modules.h"

#include <array>
#include <numeric>
#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu {

int64_t LayerContext::in_sum() const {
  return std::accumulate(in.begin(), in.end(), int64_t{0});
}

namespace {

MadeLayer single(Made made) {
  return {std::move(made.module), {made.channels}};
}

MadeLayer without_tensors(std::string_view type, const LayerContext& layer, int64_t channels) {
  return {bare_module(type, layer.path), {channels}};
}

Result<MadeLayer> make_conv(ModuleMaker& maker, const LayerContext& layer) {
  const auto& s = layer.spec;
  YOLOCU_ASSIGN_OR_RETURN(Made made, maker.conv(layer.path, {.in = layer.in_sum(),
                                                             .out = s.widths[0],
                                                             .kernel = s.setting[0],
                                                             .stride = s.setting[1]}));
  return single(std::move(made));
}

// YOLOv7's: a 3x3 and a 1x1 branch, each a convolution and its norm, or one fused convolution.
// MultimediaTechLab calls the branches as RepConvN does.
Result<MadeLayer> make_rep_conv(ModuleMaker& maker, const LayerContext& layer) {
  ConvSpec dense{.in = layer.in_sum(), .out = layer.spec.widths[0], .kernel = 3};
  Module block = bare_module("models.common.RepConv", layer.path);
  const auto has = [&](const char* child) {
    return maker.source().has(str_cat(layer.path, ".", child, ".weight"));
  };
  int64_t channels = 0;
  if (maker.architecture().keys == KeyStyle::kMit) {
    block.type = "models.common.RepConvN";
    YOLOCU_ASSIGN_OR_RETURN(channels, maker.add_conv(block, "conv1", dense));
    ConvSpec pointwise = dense;
    pointwise.kernel = 1;
    YOLOCU_RETURN_IF_ERROR(maker.add_conv(block, "conv2", pointwise).status());
  } else if (has("rbr_dense.0")) {
    for (const auto& [name, kernel] : {std::pair{"rbr_dense", 3}, {"rbr_1x1", 1}}) {
      Module branch =
          bare_module("torch.nn.modules.container.Sequential", str_cat(layer.path, ".", name));
      ConvSpec spec = dense;
      spec.kernel = kernel;
      YOLOCU_ASSIGN_OR_RETURN(channels, maker.add_conv_and_norm(branch, "0", "1", spec));
      adopt(block, name, {std::move(branch), channels});
    }
  } else {
    YOLOCU_ASSIGN_OR_RETURN(Made fused, maker.conv2d(layer.path + ".rbr_reparam", dense));
    channels = adopt(block, "rbr_reparam", std::move(fused));
  }
  maker.add_activation(block);
  return MadeLayer{std::move(block), {channels}};
}

Result<MadeLayer> make_sppcspc(ModuleMaker& maker, const LayerContext& layer) {
  const int64_t in = layer.in_sum(), width = layer.spec.widths[0];
  Module block = bare_module("models.common.SPPCSPC", layer.path);
  const auto add = [&](const char* child, int64_t from, int64_t kernel) {
    return maker.add_conv(block, child, {.in = from, .out = width, .kernel = kernel});
  };
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c1, add("cv1", in, 1));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c2, add("cv2", in, 1));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c3, add("cv3", c1, 3));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c4, add("cv4", c3, 1));
  Module pools = bare_module("torch.nn.modules.container.ModuleList", layer.path + ".m");
  for (const int64_t window : {5, 9, 13}) {
    ModuleMaker::add_max_pool(pools, str_cat(pools.children.size()), window, 1);
  }
  adopt(block, "m", {std::move(pools), 0});
  // MultimediaTechLab pools what the pool before has pooled.
  if (maker.architecture().keys == KeyStyle::kMit) block.attributes["chained"] = true;
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c5, add("cv5", 4 * c4, 1));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c6, add("cv6", c5, 3));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c7, add("cv7", c6 + c2, 1));
  return MadeLayer{std::move(block), {c7}};
}

Result<MadeLayer> make_down_c(ModuleMaker& maker, const LayerContext& layer) {
  const int64_t in = layer.in_sum(), half = layer.spec.widths[0] / 2;
  Module block = bare_module("models.common.DownC", layer.path);
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c1, maker.add_conv(block, "cv1", {.in = in, .out = in}));
  YOLOCU_ASSIGN_OR_RETURN(
      const int64_t c2,
      maker.add_conv(block, "cv2", {.in = c1, .out = half, .kernel = 3, .stride = 2}));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c3, maker.add_conv(block, "cv3", {.in = in, .out = half}));
  ModuleMaker::add_max_pool(block, "mp", 2, 2);
  return MadeLayer{std::move(block), {c2 + c3}};
}

Result<MadeLayer> make_mp(ModuleMaker&, const LayerContext& layer) {
  MadeLayer made = without_tensors("models.common.MP", layer, layer.in_sum());
  ModuleMaker::add_max_pool(made.module, "m", 2, 2);
  return made;
}

Result<MadeLayer> make_sp(ModuleMaker&, const LayerContext& layer) {
  MadeLayer made = without_tensors("models.common.SP", layer, layer.in_sum());
  ModuleMaker::add_max_pool(made.module, "m", layer.spec.setting[0], 1);
  return made;
}

Result<MadeLayer> make_upsample(ModuleMaker&, const LayerContext& layer) {
  MadeLayer made = without_tensors("torch.nn.modules.upsampling.Upsample", layer, layer.in_sum());
  made.module.attributes = {{"scale_factor", static_cast<double>(layer.spec.setting[0])},
                            {"mode", "nearest"}};
  return made;
}

Result<MadeLayer> make_concat(ModuleMaker&, const LayerContext& layer) {
  return without_tensors("models.common.Concat", layer, layer.in_sum());
}

Result<MadeLayer> make_shortcut(ModuleMaker&, const LayerContext& layer) {
  return without_tensors("models.common.Shortcut", layer, layer.in[0]);
}

Result<MadeLayer> make_reorg(ModuleMaker&, const LayerContext& layer) {
  return without_tensors("models.common.ReOrg", layer, 4 * layer.in_sum());
}

Result<MadeLayer> make_silence(ModuleMaker&, const LayerContext& layer) {
  return without_tensors("models.common.Silence", layer, layer.in_sum());
}

struct NamedLayerRule {
  std::string_view module;
  LayerRule rule;
};

constexpr std::array kRules{
    NamedLayerRule{"Concat", make_concat},
    NamedLayerRule{"Conv", make_conv},
    NamedLayerRule{"DownC", make_down_c},
    NamedLayerRule{"MP", make_mp},
    NamedLayerRule{"ReOrg", make_reorg},
    NamedLayerRule{"RepConv", make_rep_conv},
    NamedLayerRule{"SP", make_sp},
    NamedLayerRule{"SPPCSPC", make_sppcspc},
    NamedLayerRule{"Shortcut", make_shortcut},
    NamedLayerRule{"Silence", make_silence},
    NamedLayerRule{"Upsample", make_upsample},
};

}  // namespace

LayerRule find_layer_rule(std::string_view module) {
  for (const NamedLayerRule& entry : kRules) {
    if (entry.module == module) return entry.rule;
  }
  if (const LayerRule rule = find_elan_layer_rule(module)) return rule;
  return find_head_layer_rule(module);
}

}  // namespace yolocu
