// Writes a model definition layer by layer; every function appends and returns the new layer's
// number.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "weights/import/arch/architecture.h"

namespace yolocu {

class LayerList {
 public:
  int64_t add(std::vector<int64_t> from, std::string_view module, std::vector<int64_t> widths = {},
              std::vector<int64_t> setting = {}) {
    layers_.push_back({std::move(from), module, std::move(widths), std::move(setting)});
    return last();
  }
  // Conv of kernel x kernel.
  int64_t conv(int64_t out, int64_t kernel = 1, int64_t stride = 1, int64_t from = -1) {
    return add({from}, "Conv", {out}, {kernel, stride});
  }
  int64_t concat(std::vector<int64_t> from) { return add(std::move(from), "Concat"); }
  int64_t upsample() { return add({-1}, "Upsample", {}, {2}); }

  int64_t last() const { return static_cast<int64_t>(layers_.size()) - 1; }
  std::vector<LayerSpec> take() { return std::move(layers_); }

 private:
  std::vector<LayerSpec> layers_;
};

// The definitions, a file each family.
std::vector<Architecture> yolov9_architectures();
std::vector<Architecture> yolov7_architectures();

}  // namespace yolocu
