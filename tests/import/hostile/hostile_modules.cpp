// Modules that cannot be: every file is sound_yolov9() or sound_yolov7() with one thing changed.
#include <limits>

#include "tests/import/hostile/hostile_corpus.h"
#include "tests/import/hostile/pickled_tree.h"
#include "tests/import/module_builder.h"

namespace yolocu::testing {
namespace {

using Change = std::function<void(Module&)>;

Module& child(Module& module, std::string_view name) {
  for (auto& [key, value] : module.children) {
    if (key == name) return value;
  }
  ADD_FAILURE() << "no child " << name;
  return module;
}

Module& layer(Module& root, std::string_view number) {
  return child(child(root, "model"), number);
}
Module& conv(Module& root) {
  return child(layer(root, "0"), "conv");
}
Module& norm(Module& root) {
  return child(layer(root, "0"), "bn");
}

HostileFile changed(const std::string& name, const std::string& cause, Module (*sound)(),
                    const Change& change) {
  return {name, cause, [=] {
            Module root = sound();
            change(root);
            return zip_file(pickle_tree(root));
          }};
}

HostileFile v9(const std::string& name, const std::string& cause, const Change& change) {
  return changed("modules_" + name, cause, sound_yolov9, change);
}
HostileFile v7(const std::string& name, const std::string& cause, const Change& change) {
  return changed("modules_yolov7_" + name, cause, sound_yolov7, change);
}

HostileFile conv_attribute(const std::string& name, const std::string& cause,
                           const std::string& key, const Attribute& value) {
  return v9(name, cause, [=](Module& root) { conv(root).attributes[key] = value; });
}

HostileFile source(const std::string& name, const std::string& cause, const std::string& number,
                   const Attribute& from) {
  return v9(name, cause, [=](Module& root) { layer(root, number).attributes["f"] = from; });
}

std::vector<HostileFile> convolutions() {
  using List = std::vector<double>;
  return {
      conv_attribute("groups_zero", "groups 0", "groups", int64_t{0}),
      conv_attribute("groups_negative", "groups -4", "groups", int64_t{-4}),
      conv_attribute("groups_that_do_not_divide", "groups 3", "groups", int64_t{3}),
      conv_attribute("groups_of_other_channels", "channels", "groups", int64_t{8}),
      conv_attribute("kernel_zero", "not 0x0", "kernel_size", List{0, 0}),
      conv_attribute("kernel_oblong", "not square", "kernel_size", List{3, 1}),
      conv_attribute("kernel_without_numbers", "kernel_size", "kernel_size", List{}),
      conv_attribute("stride_zero", "stride 0", "stride", List{0, 0}),
      conv_attribute("stride_negative", "stride -2", "stride", List{-2, -2}),
      conv_attribute("stride_huge", "stride", "stride", List{4e18, 4e18}),
      conv_attribute("stride_not_a_number", "stride", "stride",
                     std::numeric_limits<double>::quiet_NaN()),
      conv_attribute("padding_huge", "padding", "padding", List{1e9, 1e9}),
      conv_attribute("padding_negative", "padding -1", "padding", List{-1, -1}),
      conv_attribute("dilation_zero", "dilation 0", "dilation", List{0, 0}),
      conv_attribute("padding_mode_with_control_characters", "padding_mode '", "padding_mode",
                     std::string("re\n\x1b[31mflect") + std::string(3000, 'x')),
      v9("channels_that_do_not_match", "reads 5 channels",
         [](Module& root) {
           conv(root).tensors["weight"] = imported({8, 5, 3, 3}, std::vector<float>(360, 1));
         }),
      v9("norm_of_other_channels", "expected [8], got [7]",
         [](Module& root) {
           norm(root).tensors["weight"] = imported({7}, std::vector<float>(7, 1));
         }),
      v9("norm_without_variance", "'running_var' is missing",
         [](Module& root) { norm(root).tensors.erase("running_var"); }),
      v9("norm_of_negative_variance", "NaN",
         [](Module& root) {
           norm(root).tensors["running_var"] = imported({8}, std::vector<float>(8, -1));
         }),
      v9("norm_of_no_variance_and_no_eps", "infinity",
         [](Module& root) {
           norm(root).tensors["running_var"] = imported({8}, std::vector<float>(8, 0));
           norm(root).attributes["eps"] = 0.0;
         }),
      v9("eps_negative", "'eps' is missing or negative",
         [](Module& root) { norm(root).attributes["eps"] = -1.0; }),
      v9("eps_not_a_number", "'eps' is missing or negative",
         [](Module& root) {
           norm(root).attributes["eps"] = std::numeric_limits<double>::quiet_NaN();
         }),
      v9("slope_not_a_number", "negative_slope",
         [](Module& root) {
           Module& act = child(layer(root, "0"), "act");
           act.type = "torch.nn.modules.activation.LeakyReLU";
           act.attributes["negative_slope"] = std::numeric_limits<double>::quiet_NaN();
         }),
      v9("branches_of_different_shapes", "parallel branches",
         [](Module& root) {
           child(layer(root, "1"), "conv2") = make_conv("", {8, 4, 1}, 6, "Identity");
         }),
      // An identity branch as a dense matrix: 17 GB from 2 MB.
      v9("identity_of_65536_channels", "parallel branches",
         [](Module& root) {
           Module& rep = layer(root, "1");
           const int64_t wide = 65536;
           child(rep, "conv1") = make_conv("", {wide, 1, 1}, 5, "Identity");
           child(rep, "conv2") = make_conv("", {wide, 1, 1}, 6, "Identity");
           rep.children.emplace_back("bn", make_batch_norm("", wide, 1e-3, 7));
         }),
  };
}

std::vector<HostileFile> connections() {
  using List = std::vector<double>;
  return {
      source("source_out_of_range", "reads layer 99", "1", List{99}),
      source("source_is_itself", "reads layer 1", "1", List{1}),
      source("source_lies_ahead", "reads layer 2", "1", List{2}),
      source("source_before_the_picture", "reads layer -9", "1", List{-9}),
      source("source_beyond_64_bits", "'f' (from)", "1", List{1e300}),
      source("source_not_a_number", "'f' (from)", "1",
             List{std::numeric_limits<double>::quiet_NaN()}),
      source("source_missing", "'f' (from) is missing", "1", List{}),
      source("two_sources_of_a_convolution", "2 sources", "1", List{-1, 0}),
      source("more_sources_than_levels", "2 inputs for 1 box", "2", List{-1, -1}),
      source("head_on_the_picture", "channels", "2", List{-3}),
      v9("no_layers", "no layers", [](Module& root) { child(root, "model").children.clear(); }),
      v9("no_model", "no module 'model'", [](Module& root) { root.children.clear(); }),
      v9("no_head", "not a detection head",
         [](Module& root) { child(root, "model").children.pop_back(); }),
      v9("head_in_the_middle", "channels",
         [](Module& root) {
           auto& layers = child(root, "model").children;
           layers.emplace_back("3", layers.back().second);
         }),
      v9("unknown_module", "unknown module 'models.common.Quantum'",
         [](Module& root) { layer(root, "1").type = "models.common.Quantum"; }),
      v9("unknown_module_of_a_name_with_control_characters", "name",
         [](Module& root) {
           layer(root, "1").type = "models.common.Quantum";
           child(root, "model").children[1].first = "1\n\x1b[2J";
         }),
      v9("names_that_add_up_to_kilobytes", "name",
         [](Module& root) {
           Module* at = &layer(root, "1");
           at->type = "torch.nn.modules.container.Sequential";
           for (int depth = 0; depth < 20; ++depth) {
             Module deeper = make_module("torch.nn.modules.container.Sequential", "");
             if (depth == 19) deeper.type = "models.common.Quantum";
             at->children = {{std::string(100, 'a'), deeper}};
             at = &at->children[0].second;
           }
         }),
      v9("nested_deeper_than_64", "nested deeper than 64",
         [](Module& root) {
           Module inner = layer(root, "0");
           for (int depth = 0; depth < 100; ++depth) {
             inner = make_module("torch.nn.modules.container.Sequential", "", {{"0", inner}});
           }
           layer(root, "1") = as_layer(std::move(inner), {-1});
         }),
      v9("two_children_of_one_name", "name of its own",
         [](Module& root) { child(root, "model").children[1].first = "0"; }),
      v9("no_class_of_models", "refuses global",
         [](Module& root) { layer(root, "1").type = "posix.system"; }),
      v9("model_of_another_project", "model class",
         [](Module& root) { root.type = "torch.nn.modules.container.Sequential"; }),
  };
}

std::vector<HostileFile> heads() {
  const auto head_attribute = [](const std::string& name, const std::string& cause,
                                 const std::string& key, int64_t value) {
    return v9(name, cause, [=](Module& root) { layer(root, "2").attributes[key] = value; });
  };
  const auto anchors = [](const std::string& name, std::vector<int64_t> shape,
                          std::vector<float> values) {
    return v7(name, "anchors", [=](Module& root) {
      layer(root, "1").tensors["anchor_grid"] = imported(shape, values);
    });
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  return {
      head_attribute("no_classes", "classes 0", "nc", 0),
      head_attribute("classes_negative", "classes -1", "nc", -1),
      head_attribute("classes_beyond_64_bits", "classes", "nc",
                     std::numeric_limits<int64_t>::max()),
      head_attribute("other_classes", "expected a head of 3 channels, got 2", "nc", 3),
      head_attribute("other_bins", "expected a head of 32 channels, got 16", "reg_max", 8),
      head_attribute("no_bins", "reg_max", "reg_max", 0),
      head_attribute("bins_beyond_64_bits", "bins", "reg_max",
                     std::numeric_limits<int64_t>::max() / 2),
      v9("head_without_levels", "0 box",
         [](Module& root) {
           child(layer(root, "2"), "cv2").children.clear();
           child(layer(root, "2"), "cv3").children.clear();
         }),
      v9("stride_of_the_head_zero", "'stride'",
         [](Module& root) { layer(root, "2").tensors["stride"] = imported({1}, {0}); }),
      v9("stride_of_the_head_not_a_number", "'stride'",
         [](Module& root) { layer(root, "2").tensors["stride"] = imported({1}, {kNan}); }),
      v9("dfl_of_other_weights", "weights of 'dfl'",
         [](Module& root) {
           Module dfl =
               make_module("models.common.DFL", "", {{"conv", make_conv2d("", {1, 4}, 9)}});
           layer(root, "2").children.emplace_back("dfl", dfl);
         }),
      anchors("anchor_zero", {1, 1, 3, 1, 1, 2}, {4, 0, 8, 9, 16, 12}),
      anchors("anchor_negative", {1, 1, 3, 1, 1, 2}, {4, -5, 8, 9, 16, 12}),
      anchors("anchor_not_a_number", {1, 1, 3, 1, 1, 2}, {4, kNan, 8, 9, 16, 12}),
      anchors("anchors_of_two_levels", {2, 1, 3, 1, 1, 2}, std::vector<float>(12, 4)),
      anchors("anchors_half", {1, 3}, {4, 5, 8}),
      anchors("anchors_empty", {1, 0}, {}),
      anchors("anchors_without_dimensions", {}, {4}),
      v7("implicit_of_other_channels", "implicit addend: expected [1,8,1,1], got [1,9,1,1]",
         [](Module& root) {
           child(child(layer(root, "1"), "ia"), "0").tensors["implicit"] =
               imported({1, 9, 1, 1}, std::vector<float>(9, 1));
         }),
      v7("implicit_of_one_kind", "only one of 'ia' and 'im'",
         [](Module& root) { layer(root, "1").children.pop_back(); }),
      v7("implicit_of_no_level", "0 tensors for 1 levels",
         [](Module& root) { child(layer(root, "1"), "im").children.clear(); }),
  };
}

// One module that the file names at many places: each would be weights of its own.
std::vector<HostileFile> repetition() {
  return {v9("one_module_a_thousand_times", "weights", [](Module& root) {
    auto& layers = child(root, "model").children;
    const Module wide = as_layer(make_conv("", {256, 256, 3}, 3), {-1});
    layers = {{"0", as_layer(make_conv("", {256, 3, 1}, 1), {-1})}};
    for (int i = 1; i <= 1000; ++i) {
      layers.emplace_back(std::to_string(i), make_module(kSharedModule, "", {{"0", wide}}));
    }
  })};
}

}  // namespace

std::vector<HostileFile> hostile_modules() {
  std::vector<HostileFile> all;
  for (auto* part : {convolutions, connections, heads, repetition}) {
    for (HostileFile& file : part()) all.push_back(std::move(file));
  }
  return all;
}

}  // namespace yolocu::testing
