// Detection heads of architecture definitions. The number of classes, of DFL bins and the widths
// of the branches come from the tensors.
#include <algorithm>
#include <array>
#include <utility>

#include "engine/base/str_cat.h"
#include "weights/import/arch/modules.h"

namespace yolocu {
namespace {

constexpr std::string_view kModuleList = "torch.nn.modules.container.ModuleList";
constexpr std::string_view kSequential = "torch.nn.modules.container.Sequential";
constexpr int64_t kBins = 16;
constexpr int64_t kAnchors = 3;

// The lists of one prediction branch of a DFL head, and its integral's fixed weights.
struct DflBranch {
  std::string_view box, cls, dfl;
};

constexpr std::array kDflBranches{DflBranch{"cv2", "cv3", "dfl"}, DflBranch{"cv4", "cv5", "dfl2"},
                                  DflBranch{"cv6", "cv7", "dfl3"}};

size_t branch_count(std::string_view head) {
  if (head.starts_with("Triple")) return 3;
  return head.starts_with("Dual") ? 2 : 1;
}

// A sequence of two 3x3 convolutions and a 1x1 with bias.
struct TowerSpec {
  std::string path;
  int64_t in = 0, hidden = 0, out = 0;
  int64_t groups = 1;  // of the second and third convolution
  Grouping grouping = Grouping::kGiven;
};

Result<Made> make_tower(ModuleMaker& maker, const TowerSpec& spec) {
  Module tower = bare_module(kSequential, spec.path);
  YOLOCU_ASSIGN_OR_RETURN(
      const int64_t c1,
      maker.add_conv(tower, "0", {.in = spec.in, .out = spec.hidden, .kernel = 3}));
  ConvSpec second{.in = c1, .out = spec.hidden, .kernel = 3};
  second.groups = spec.groups;
  second.grouping = spec.grouping;
  YOLOCU_ASSIGN_OR_RETURN(const int64_t c2, maker.add_conv(tower, "1", second));
  ConvSpec last{.in = c2, .out = spec.out};
  last.groups = spec.groups;
  last.grouping = spec.grouping;
  YOLOCU_ASSIGN_OR_RETURN(Made made, maker.conv2d(spec.path + ".2", last));
  const int64_t out = adopt(tower, "2", std::move(made));
  return Made{std::move(tower), out};
}

// Newer Ultralytics code: the 3x3 convolutions of the class branch are depthwise, each followed by
// a 1x1.
Result<Made> make_depthwise_tower(ModuleMaker& maker, const TowerSpec& spec) {
  Module tower = bare_module(kSequential, spec.path);
  int64_t in = spec.in;
  for (const char* step : {"0", "1"}) {
    Module pair = bare_module(kSequential, spec.path + "." + step);
    ConvSpec depthwise{.in = in, .out = in, .kernel = 3};
    depthwise.groups = in;
    YOLOCU_ASSIGN_OR_RETURN(const int64_t c1, maker.add_conv(pair, "0", depthwise));
    YOLOCU_ASSIGN_OR_RETURN(in, maker.add_conv(pair, "1", {.in = c1, .out = spec.hidden}));
    adopt(tower, step, {std::move(pair), in});
  }
  YOLOCU_ASSIGN_OR_RETURN(Made made, maker.conv2d(spec.path + ".2", {.in = in, .out = spec.out}));
  const int64_t out = adopt(tower, "2", std::move(made));
  return Made{std::move(tower), out};
}

// Channels that every level must agree on.
Status agree(const Made& made, int64_t* common) {
  if (*common == 0) *common = made.channels;
  if (*common == made.channels) return {};
  return corrupt(str_cat("tensor '", made.module.path, ".2.weight': ", made.channels,
                         " channels, expected ", *common, " as on the other levels"));
}

// Tower `level` of a list: MultimediaTechLab's heads have a module for each level.
std::string tower_path(const ModuleMaker& maker, const LayerContext& layer, std::string_view list,
                       size_t level) {
  if (maker.architecture().keys == KeyStyle::kOfficial) {
    return str_cat(layer.path, ".", list, ".", level);
  }
  return str_cat(layer.path, ".heads.", level, list == "cv2" ? ".anchor_conv" : ".class_conv");
}

// Fixed weights of the integral over the bins, 0, 1, 2, ...; not needed, but a file has them.
Status take_integral(ModuleMaker& maker, const LayerContext& layer, std::string_view dfl,
                     int64_t bins, size_t levels) {
  TensorSource& source = maker.source();
  const std::string official = str_cat(layer.path, ".", dfl, ".conv.weight");
  const auto exact = [](int64_t n) { return Dim::exact(n); };
  if (source.has(official)) {
    YOLOCU_RETURN_IF_ERROR(
        source.take(official, {exact(1), exact(bins), exact(1), exact(1)}).status());
  }
  for (size_t level = 0; level < levels; ++level) {
    const std::string mit = str_cat(layer.path, ".heads.", level, ".anc2vec.anc2vec.weight");
    if (!source.has(mit)) continue;
    YOLOCU_RETURN_IF_ERROR(
        source.take(mit, {exact(1), exact(bins), exact(1), exact(1), exact(1)}).status());
  }
  return {};
}

struct DflChannels {
  int64_t box = 0, cls = 0;
};

Status add_dfl_branch(ModuleMaker& maker, const LayerContext& layer, Module& head,
                      const DflBranch& names, std::span<const int64_t> in, DflChannels* channels) {
  const bool grouped = layer.spec.module != "Detect";
  const int64_t box_width = std::max(in[0] / 4, 4 * kBins);
  const int64_t cls_width = std::max(in[0], std::min<int64_t>(2 * layer.classes, 128));
  Module box = bare_module(kModuleList, str_cat(layer.path, ".", names.box));
  Module cls = bare_module(kModuleList, str_cat(layer.path, ".", names.cls));
  for (size_t level = 0; level < in.size(); ++level) {
    const std::string number = str_cat(level);
    YOLOCU_ASSIGN_OR_RETURN(
        Made boxes, make_tower(maker, {tower_path(maker, layer, names.box, level), in[level],
                                       (box_width + 3) / 4 * 4, 4 * kBins, grouped ? 4 : 1,
                                       Grouping::kFromShape}));
    YOLOCU_RETURN_IF_ERROR(agree(boxes, &channels->box));
    adopt(box, number, std::move(boxes));
    const TowerSpec spec{tower_path(maker, layer, names.cls, level), in[level], cls_width,
                         layer.classes};
    const bool depthwise = maker.source().has(spec.path + ".0.0.conv.weight");
    YOLOCU_ASSIGN_OR_RETURN(
        Made scores, depthwise ? make_depthwise_tower(maker, spec) : make_tower(maker, spec));
    YOLOCU_RETURN_IF_ERROR(agree(scores, &channels->cls));
    adopt(cls, number, std::move(scores));
  }
  adopt(head, names.box, {std::move(box), 0});
  adopt(head, names.cls, {std::move(cls), 0});
  return take_integral(maker, layer, names.dfl, channels->box / 4, in.size());
}

Result<MadeLayer> make_dfl_head(ModuleMaker& maker, const LayerContext& layer) {
  Module head = bare_module(str_cat("models.yolo.", layer.spec.module), layer.path);
  const size_t branches = branch_count(layer.spec.module);
  const size_t levels = layer.in.size() / branches;
  DflChannels channels;
  for (size_t b = 0; b < branches; ++b) {
    YOLOCU_RETURN_IF_ERROR(add_dfl_branch(maker, layer, head, kDflBranches[b],
                                          std::span(layer.in).subspan(b * levels, levels),
                                          &channels));
  }
  if (channels.box % 4 != 0) {
    return corrupt(str_cat("layer ", layer.path, ": ", channels.box,
                           " box channels are not four sides of as many bins"));
  }
  head.attributes["nc"] = channels.cls;
  head.attributes["reg_max"] = channels.box / 4;
  return MadeLayer{std::move(head), {0}};
}

// The anchors in pixels, [levels,1,A,1,1,2]: the file's, or the architecture's.
Result<std::shared_ptr<const ImportedTensor>> anchor_grid(ModuleMaker& maker,
                                                          const LayerContext& layer) {
  const auto& official = maker.architecture().anchors;
  const auto levels = static_cast<int64_t>(official.size());
  const auto exact = [](int64_t n) { return Dim::exact(n); };
  TensorSource& source = maker.source();
  if (source.has(layer.path + ".anchors")) {  // in units of the stride, and rounded in fp16 files
    YOLOCU_RETURN_IF_ERROR(
        source.take(layer.path + ".anchors", {exact(levels), exact(kAnchors), exact(2)}).status());
  }
  if (source.has(layer.path + ".anchor_grid")) {
    return source.take(layer.path + ".anchor_grid",
                       {exact(levels), exact(1), exact(kAnchors), exact(1), exact(1), exact(2)});
  }
  std::vector<float> values;
  for (const auto& level : official) values.insert(values.end(), level.begin(), level.end());
  return dense_tensor({levels, 1, kAnchors, 1, 1, 2}, std::move(values));
}

struct AnchorPaths {
  std::string conv, add, multiply;
};

// Of level `level`: `list` is "m" or, of the auxiliary branch, "m2".
AnchorPaths anchor_paths(const ModuleMaker& maker, const LayerContext& layer, std::string_view list,
                         size_t level) {
  const std::string& path = layer.path;
  if (maker.architecture().keys == KeyStyle::kMit) {
    const std::string head = str_cat(path, ".heads.", level);
    return {head + ".head_conv", head + ".implicit_a", head + ".implicit_m"};
  }
  return {str_cat(path, ".", list, ".", level), str_cat(path, ".ia.", level),
          str_cat(path, ".im.", level)};
}

Result<Module> implicit(ModuleMaker& maker, const std::string& type, const std::string& path,
                        int64_t channels) {
  Module module = bare_module("models.common." + type, path);
  YOLOCU_ASSIGN_OR_RETURN(
      module.tensors["implicit"],
      maker.source().take(path + ".implicit",
                          {Dim::exact(1), Dim::exact(channels), Dim::exact(1), Dim::exact(1)}));
  return module;
}

// m(ia + x) * im on every level, without ia and im where the file has none.
Status add_anchor_branch(ModuleMaker& maker, const LayerContext& layer, Module& head,
                         std::string_view list, std::span<const int64_t> in, int64_t* channels) {
  Module convs = bare_module(kModuleList, str_cat(layer.path, ".", list));
  Module add = bare_module(kModuleList, layer.path + ".ia");
  Module multiply = bare_module(kModuleList, layer.path + ".im");
  for (size_t level = 0; level < in.size(); ++level) {
    const std::string number = str_cat(level);
    const AnchorPaths paths = anchor_paths(maker, layer, list, level);
    YOLOCU_ASSIGN_OR_RETURN(
        Made conv,
        maker.conv2d(paths.conv, {.in = in[level], .out = kAnchors * (5 + layer.classes)}));
    if (*channels == 0) *channels = conv.channels;
    if (*channels != conv.channels) {
      return corrupt(str_cat("tensor '", paths.conv, ".weight': ", conv.channels,
                             " channels, expected ", *channels, " as on the other levels"));
    }
    adopt(convs, number, std::move(conv));
    if (list != "m" || !maker.source().has(paths.add + ".implicit")) continue;
    YOLOCU_ASSIGN_OR_RETURN(Module a, implicit(maker, "ImplicitA", paths.add, in[level]));
    YOLOCU_ASSIGN_OR_RETURN(Module m, implicit(maker, "ImplicitM", paths.multiply, *channels));
    adopt(add, number, {std::move(a), 0});
    adopt(multiply, number, {std::move(m), 0});
  }
  adopt(head, list, {std::move(convs), 0});
  if (add.children.empty()) return {};
  adopt(head, "ia", {std::move(add), 0});
  adopt(head, "im", {std::move(multiply), 0});
  return {};
}

Result<MadeLayer> make_anchor_head(ModuleMaker& maker, const LayerContext& layer) {
  Module head = bare_module(str_cat("models.yolo.", layer.spec.module), layer.path);
  const size_t levels = maker.architecture().anchors.size();
  const std::span in(layer.in);
  int64_t channels = 0;
  YOLOCU_RETURN_IF_ERROR(add_anchor_branch(maker, layer, head, "m", in.first(levels), &channels));
  if (layer.spec.module == "IAuxDetect") {
    YOLOCU_RETURN_IF_ERROR(add_anchor_branch(maker, layer, head, "m2", in.last(levels), &channels));
  }
  YOLOCU_ASSIGN_OR_RETURN(head.tensors["anchor_grid"], anchor_grid(maker, layer));
  if (channels % kAnchors != 0 || channels / kAnchors < 6) {
    return corrupt(str_cat("layer ", layer.path, ": ", channels, " output channels are not ",
                           kAnchors, " anchors x (5 + classes)"));
  }
  head.attributes["na"] = kAnchors;
  head.attributes["nl"] = static_cast<int64_t>(levels);
  head.attributes["nc"] = channels / kAnchors - 5;
  return MadeLayer{std::move(head), {0}};
}

}  // namespace

LayerRule find_head_layer_rule(std::string_view module) {
  if (module == "IDetect" || module == "IAuxDetect") return make_anchor_head;
  return module.ends_with("Detect") ? make_dfl_head : nullptr;
}

}  // namespace yolocu
