// Modules as a checkpoint would hold them, made in a line each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/test_support.h"
#include "weights/import/module_tree.h"

namespace yolocu::testing {

inline std::shared_ptr<const ImportedTensor> imported(std::vector<int64_t> shape,
                                                      std::vector<float> values) {
  return dense_tensor(std::move(shape), std::move(values));
}

inline Module make_module(std::string type, std::string path,
                          std::vector<std::pair<std::string, Module>> children = {}) {
  Module module;
  module.type = std::move(type);
  module.path = std::move(path);
  module.children = std::move(children);
  return module;
}

struct ConvShape {
  int64_t out = 1, in = 1, kernel = 1, stride = 1, groups = 1;
};

// torch.nn Conv2d with random weights and "same" padding.
inline Module make_conv2d(const std::string& path, const ConvShape& s, uint64_t seed) {
  Module module = make_module("torch.nn.modules.conv.Conv2d", path);
  const auto pair = [](int64_t v) {
    return std::vector<double>{static_cast<double>(v), static_cast<double>(v)};
  };
  module.attributes["kernel_size"] = pair(s.kernel);
  module.attributes["stride"] = pair(s.stride);
  module.attributes["padding"] = pair(s.kernel / 2);
  module.attributes["dilation"] = pair(1);
  module.attributes["groups"] = s.groups;
  module.attributes["padding_mode"] = std::string("zeros");
  const int64_t count = s.out * (s.in / s.groups) * s.kernel * s.kernel;
  module.tensors["weight"] = imported({s.out, s.in / s.groups, s.kernel, s.kernel},
                                      random_floats(static_cast<size_t>(count), seed));
  return module;
}

// torch.nn BatchNorm2d with random statistics, some gammas negative.
inline Module make_batch_norm(const std::string& path, int64_t channels, double eps,
                              uint64_t seed) {
  Module module = make_module("torch.nn.modules.batchnorm.BatchNorm2d", path);
  const auto count = static_cast<size_t>(channels);
  std::vector<float> variance = random_floats(count, seed + 3);
  for (float& v : variance) v = 0.001f + 0.01f * v * v;  // so that eps matters
  module.attributes["eps"] = eps;
  module.tensors["weight"] = imported({channels}, random_floats(count, seed));
  module.tensors["bias"] = imported({channels}, random_floats(count, seed + 1));
  module.tensors["running_mean"] = imported({channels}, random_floats(count, seed + 2));
  module.tensors["running_var"] = imported({channels}, variance);
  return module;
}

// models.common Conv: conv, bn and the named activation ("SiLU", "Identity").
inline Module make_conv(const std::string& path, const ConvShape& s, uint64_t seed,
                        const std::string& act = "SiLU") {
  const std::string package =
      act == "Identity" ? "torch.nn.modules.linear." : "torch.nn.modules.activation.";
  return make_module("models.common.Conv", path,
                     {{"conv", make_conv2d(path + ".conv", s, seed)},
                      {"bn", make_batch_norm(path + ".bn", s.out, 1e-3, seed + 1000)},
                      {"act", make_module(package + act, path + ".act")}});
}

// torch.nn ModuleList.
inline Module make_list(const std::string& path, std::vector<Module> items) {
  Module list = make_module("torch.nn.modules.container.ModuleList", path);
  for (size_t i = 0; i < items.size(); ++i) {
    list.children.emplace_back(std::to_string(i), std::move(items[i]));
  }
  return list;
}

// A layer of a model: reads the layers `from`.
inline Module as_layer(Module module, std::vector<double> from) {
  module.attributes["f"] = std::move(from);
  return module;
}

// The layers as a detection model has them, with paths of their own.
inline Module make_model(std::vector<Module> layers) {
  Module root = make_module("models.yolo.DetectionModel", "");
  Module list = make_module("torch.nn.modules.container.Sequential", "model");
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i].path = "model." + std::to_string(i);
    list.children.emplace_back(std::to_string(i), std::move(layers[i]));
  }
  root.children.emplace_back("model", std::move(list));
  return root;
}

}  // namespace yolocu::testing
