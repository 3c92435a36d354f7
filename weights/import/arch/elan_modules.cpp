// Modules that only the YOLOv9 code has (models/common.py): blocks of split and stacked
// convolutions, their down-sampling, and the reversible branch.
#include <array>
#include <numeric>
#include <utility>

#include "engine/base/str_cat.h"
#include "weights/import/arch/modules.h"

namespace yolocu {
namespace {

constexpr std::string_view kSequential = "torch.nn.modules.container.Sequential";

// 3x3 and 1x1 branches, or the one convolution they were fused into.
Result<Made> make_rep_conv_n(ModuleMaker& maker, const std::string& path, int64_t in, int64_t out) {
  Module block = bare_module("models.common.RepConvN", path);
  const ConvSpec dense{.in = in, .out = out, .kernel = 3};
  int64_t channels = 0;
  if (maker.has_child_tensor(block, "conv1", "conv.weight")) {
    YOLOCU_ASSIGN_OR_RETURN(channels, maker.add_conv(block, "conv1", dense));
    YOLOCU_RETURN_IF_ERROR(maker.add_conv(block, "conv2", {.in = in, .out = channels}).status());
  } else {
    YOLOCU_ASSIGN_OR_RETURN(Made fused, maker.conv2d(path + ".conv", dense));
    channels = adopt(block, "conv", std::move(fused));
  }
  maker.add_activation(block);
  return Made{std::move(block), channels};
}

Result<Made> make_bottleneck(ModuleMaker& maker, const std::string& path, int64_t width) {
  Module block = bare_module("models.common.RepNBottleneck", path);
  block.attributes["add"] = true;
  YOLOCU_ASSIGN_OR_RETURN(Made first,
                          make_rep_conv_n(maker, maker.child_path(block, "cv1"), width, width));
  const int64_t hidden = adopt(block, "cv1", std::move(first));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t out,
                          maker.add_conv(block, "cv2", {.in = hidden, .out = width, .kernel = 3}));
  return Made{std::move(block), out};
}

// The official depth, or as many bottlenecks as the file has.
int64_t count_bottlenecks(ModuleMaker& maker, const std::string& path, int64_t official) {
  constexpr int64_t kMost = 1000;
  int64_t depth = 0;
  const auto is_there = [&](int64_t i) {
    const Module block = bare_module("models.common.RepNBottleneck", str_cat(path, ".", i));
    return maker.has_child_tensor(block, "cv2", "conv.weight");
  };
  while (depth < kMost && is_there(depth)) ++depth;
  return depth > 0 ? depth : official;
}

Result<Made> make_csp(ModuleMaker& maker, const std::string& path, int64_t in, int64_t out,
                      int64_t depth) {
  Module block = bare_module("models.common.RepNCSP", path);
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c1,
                          maker.add_conv(block, "cv1", {.in = in, .out = out / 2}));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c2,
                          maker.add_conv(block, "cv2", {.in = in, .out = out / 2}));
  Module stack = bare_module(kSequential, maker.child_path(block, "m"));
  int64_t width = c1;
  const int64_t count = count_bottlenecks(maker, stack.path, depth);
  for (int64_t i = 0; i < count; ++i) {
    YOLOCU_ASSIGN_OR_RETURN(Made next, make_bottleneck(maker, str_cat(stack.path, ".", i), width));
    width = adopt(stack, str_cat(i), std::move(next));
  }
  adopt(block, "m", {std::move(stack), width});
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c3,
                          maker.add_conv(block, "cv3", {.in = width + c2, .out = out}));
  return Made{std::move(block), c3};
}

// A stage of RepNCSPELAN4: RepNCSP, then a 3x3 convolution.
Result<int64_t> add_csp_stage(ModuleMaker& maker, Module& block, std::string_view child, int64_t in,
                              const LayerSpec& spec) {
  const int64_t part = spec.widths[2], depth = spec.widths[3];
  Module stage = bare_module(kSequential, maker.child_path(block, child));
  YOLOCU_ASSIGN_OR_RETURN(Made csp, make_csp(maker, stage.path + ".0", in, part, depth));
  const int64_t hidden = adopt(stage, "0", std::move(csp));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t out,
                          maker.add_conv(stage, "1", {.in = hidden, .out = part, .kernel = 3}));
  return adopt(block, child, {std::move(stage), out});
}

Result<MadeLayer> make_elan(ModuleMaker& maker, const LayerContext& layer) {
  const LayerSpec& spec = layer.spec;
  const bool plain = spec.module == "ELAN1";
  Module block = bare_module(str_cat("models.common.", spec.module), layer.path);
  YOLOCU_ASSIGN_OR_RETURN(
      const int64_t c1,
      maker.add_conv(block, "cv1", {.in = layer.in_sum(), .out = spec.widths[1]}));
  int64_t in = c1 / 2, joined = c1;
  for (const char* stage : {"cv2", "cv3"}) {
    YOLOCU_ASSIGN_OR_RETURN(
        in, plain ? maker.add_conv(block, stage, {.in = in, .out = spec.widths[2], .kernel = 3})
                  : add_csp_stage(maker, block, stage, in, spec));
    joined += in;
  }
  YOLOCU_ASSIGN_OR_RETURN(const int64_t out,
                          maker.add_conv(block, "cv4", {.in = joined, .out = spec.widths[0]}));
  return MadeLayer{std::move(block), {out}};
}

Result<MadeLayer> make_spp_elan(ModuleMaker& maker, const LayerContext& layer) {
  Module block = bare_module("models.common.SPPELAN", layer.path);
  YOLOCU_ASSIGN_OR_RETURN(
      const int64_t hidden,
      maker.add_conv(block, "cv1", {.in = layer.in_sum(), .out = layer.spec.widths[1]}));
  for (const char* pool : {"cv2", "cv3", "cv4"}) ModuleMaker::add_max_pool(block, pool, 5, 1);
  YOLOCU_ASSIGN_OR_RETURN(
      const int64_t out,
      maker.add_conv(block, "cv5", {.in = 4 * hidden, .out = layer.spec.widths[0]}));
  return MadeLayer{std::move(block), {out}};
}

Result<MadeLayer> make_aconv(ModuleMaker& maker, const LayerContext& layer) {
  Module block = bare_module("models.common.AConv", layer.path);
  YOLOCU_ASSIGN_OR_RETURN(
      const int64_t out,
      maker.add_conv(
          block, "cv1",
          {.in = layer.in_sum(), .out = layer.spec.widths[0], .kernel = 3, .stride = 2}));
  return MadeLayer{std::move(block), {out}};
}

Result<MadeLayer> make_adown(ModuleMaker& maker, const LayerContext& layer) {
  const int64_t in = layer.in_sum() / 2, out = layer.spec.widths[0] / 2;
  Module block = bare_module("models.common.ADown", layer.path);
  YOLOCU_ASSIGN_OR_RETURN(
      const int64_t c1,
      maker.add_conv(block, "cv1", {.in = in, .out = out, .kernel = 3, .stride = 2}));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c2, maker.add_conv(block, "cv2", {.in = in, .out = out}));
  return MadeLayer{std::move(block), {c1 + c2}};
}

// One convolution whose output is sliced. Its own tensors show only the sum; each slice is as wide
// as what a CBFuse adds it to, so the widths are left open (0) here.
Result<MadeLayer> make_cb_linear(ModuleMaker& maker, const LayerContext& layer) {
  const auto& widths = layer.spec.widths;
  Module block = bare_module("models.common.CBLinear", layer.path);
  YOLOCU_ASSIGN_OR_RETURN(
      Made conv, maker.conv2d(layer.path + ".conv",
                              {.in = layer.in_sum(),
                               .out = std::accumulate(widths.begin(), widths.end(), int64_t{0})}));
  adopt(block, "conv", std::move(conv));
  return MadeLayer{std::move(block), std::vector<int64_t>(widths.size(), 0)};
}

// As wide as its last source.
Result<MadeLayer> make_cb_fuse(ModuleMaker&, const LayerContext& layer) {
  Module module = bare_module("models.common.CBFuse", layer.path);
  module.attributes["idx"] =
      std::vector<double>(layer.spec.setting.begin(), layer.spec.setting.end());
  return MadeLayer{std::move(module), {layer.in.back()}};
}

}  // namespace

LayerRule find_elan_layer_rule(std::string_view module) {
  if (module == "ELAN1" || module == "RepNCSPELAN4") return make_elan;
  if (module == "SPPELAN") return make_spp_elan;
  if (module == "AConv") return make_aconv;
  if (module == "ADown") return make_adown;
  if (module == "CBLinear") return make_cb_linear;
  if (module == "CBFuse") return make_cb_fuse;
  return nullptr;
}

}  // namespace yolocu
