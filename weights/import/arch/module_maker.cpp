#include "weights/import/arch/module_maker.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

// Not in any state dictionary. All these networks have 1e-3, not the framework's 1e-5.
constexpr double kBatchNormEpsilon = 1e-3;

struct Renamed {
  std::string_view block, official, mit;
};

// Where MultimediaTechLab's name is not the official one with "cv" spelled "conv".
constexpr std::array kRenamed{
    Renamed{"AConv", "cv1", "conv"},          Renamed{"RepNCSP", "m", "bottleneck"},
    Renamed{"SPPCSPC", "cv1", "pre_conv.0"},  Renamed{"SPPCSPC", "cv2", "short_conv"},
    Renamed{"SPPCSPC", "cv3", "pre_conv.1"},  Renamed{"SPPCSPC", "cv4", "pre_conv.2"},
    Renamed{"SPPCSPC", "cv5", "post_conv.0"}, Renamed{"SPPCSPC", "cv6", "post_conv.1"},
    Renamed{"SPPCSPC", "cv7", "merge_conv"},
};

std::string mit_name(std::string_view block, std::string_view child) {
  for (const Renamed& entry : kRenamed) {
    if (entry.block == block && entry.official == child) return std::string(entry.mit);
  }
  return child.starts_with("cv") ? str_cat("conv", child.substr(2)) : std::string(child);
}

Attribute pair_of(int64_t value) {
  return std::vector<double>(2, static_cast<double>(value));
}

}  // namespace

Module bare_module(std::string_view type, std::string path) {
  Module module;
  module.type = type;
  module.path = std::move(path);
  return module;
}

int64_t adopt(Module& parent, std::string_view name, Made made) {
  parent.children.emplace_back(std::string(name), std::move(made.module));
  return made.channels;
}

std::string ModuleMaker::child_path(const Module& block, std::string_view child) const {
  const bool official = architecture_.keys == KeyStyle::kOfficial;
  return block.path + "." + (official ? std::string(child) : mit_name(block.type_name(), child));
}

bool ModuleMaker::has_child_tensor(const Module& block, std::string_view child,
                                   std::string_view tensor) const {
  return source_.has(str_cat(child_path(block, child), ".", tensor));
}

Result<Made> ModuleMaker::conv2d_without_bias(const std::string& path, const ConvSpec& spec) {
  const std::string name = path + ".weight";
  const int64_t group_in = spec.in / spec.groups;
  const bool given = spec.grouping == Grouping::kGiven;
  YOLOCU_ASSIGN_OR_RETURN(
      const auto weight,
      source_.take(name, {Dim::free(spec.out), given ? Dim::exact(group_in) : Dim::free(group_in),
                          Dim::exact(spec.kernel), Dim::exact(spec.kernel)}));
  const int64_t out = weight->shape[0];
  const int64_t groups = weight->shape[1] > 0 ? spec.in / weight->shape[1] : 0;
  if (out < 1 || groups < 1 || groups * weight->shape[1] != spec.in || out % groups != 0) {
    return corrupt(str_cat("tensor '", name, "': expected [*,", spec.in, "/groups,", spec.kernel,
                           ",", spec.kernel, "], got ", shape_text(weight->shape)));
  }
  Made made{bare_module("torch.nn.modules.conv.Conv2d", path), out};
  made.module.attributes = {{"kernel_size", pair_of(spec.kernel)},
                            {"stride", pair_of(spec.stride)},
                            {"padding", pair_of(spec.kernel / 2)},
                            {"dilation", pair_of(1)},
                            {"groups", groups},
                            {"padding_mode", "zeros"}};
  made.module.tensors["weight"] = weight;
  return made;
}

Result<Made> ModuleMaker::conv2d(const std::string& path, const ConvSpec& spec) {
  YOLOCU_ASSIGN_OR_RETURN(Made made, conv2d_without_bias(path, spec));
  YOLOCU_ASSIGN_OR_RETURN(made.module.tensors["bias"],
                          source_.take(path + ".bias", {Dim::exact(made.channels)}));
  return made;
}

Result<Module> ModuleMaker::batch_norm(const std::string& path, int64_t channels) {
  Module norm = bare_module("torch.nn.modules.batchnorm.BatchNorm2d", path);
  norm.attributes["eps"] = kBatchNormEpsilon;
  for (const char* name : {"weight", "bias", "running_mean", "running_var"}) {
    YOLOCU_ASSIGN_OR_RETURN(norm.tensors[name],
                            source_.take(str_cat(path, ".", name), {Dim::exact(channels)}));
  }
  return norm;
}

Result<int64_t> ModuleMaker::add_conv_and_norm(Module& block, const std::string& conv,
                                               const std::string& bn, const ConvSpec& spec) {
  const std::string conv_path = block.path + "." + conv, bn_path = block.path + "." + bn;
  if (!source_.has(bn_path + ".running_var")) {
    YOLOCU_ASSIGN_OR_RETURN(Made folded, conv2d(conv_path, spec));
    return adopt(block, conv, std::move(folded));
  }
  YOLOCU_ASSIGN_OR_RETURN(Made made, conv2d_without_bias(conv_path, spec));
  YOLOCU_ASSIGN_OR_RETURN(Module norm, batch_norm(bn_path, made.channels));
  const int64_t channels = adopt(block, conv, std::move(made));
  adopt(block, bn, {std::move(norm), channels});
  return channels;
}

void ModuleMaker::add_activation(Module& block) const {
  const std::string_view name = architecture_.activation;
  Module act = bare_module(str_cat("torch.nn.modules.activation.", name), block.path + ".act");
  if (name == "LeakyReLU") act.attributes["negative_slope"] = 0.1;
  adopt(block, "act", {std::move(act), 0});
}

Result<Made> ModuleMaker::conv(const std::string& path, const ConvSpec& spec) {
  Module block = bare_module("models.common.Conv", path);
  YOLOCU_ASSIGN_OR_RETURN(const int64_t channels, add_conv_and_norm(block, "conv", "bn", spec));
  add_activation(block);
  return Made{std::move(block), channels};
}

Result<int64_t> ModuleMaker::add_conv(Module& block, std::string_view child, const ConvSpec& spec) {
  YOLOCU_ASSIGN_OR_RETURN(Made made, conv(child_path(block, child), spec));
  return adopt(block, child, std::move(made));
}

void ModuleMaker::add_max_pool(Module& block, const std::string& child, int64_t kernel,
                               int64_t stride) {
  Module pool = bare_module("torch.nn.modules.pooling.MaxPool2d", block.path + "." + child);
  const int64_t padding = stride == 1 ? kernel / 2 : 0;
  pool.attributes = {{"kernel_size", kernel}, {"stride", stride}, {"padding", padding}};
  adopt(block, child, {std::move(pool), 0});
}

}  // namespace yolocu
