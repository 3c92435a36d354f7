// Architectures by name: which modules an official model has, what each reads, and how wide it is.
// A definition is topology; a checkpoint's tensors may change the widths.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weights/import/module_tree.h"
#include "yolocu/status.h"

namespace yolocu {

// One layer of a model definition.
struct LayerSpec {
  std::vector<int64_t> from;     // layers it reads: by number, or counted backwards if negative
  std::string_view module;       // class name, such as "RepNCSPELAN4"
  std::vector<int64_t> widths;   // channels and depths of the official model, as modules.h lists
  std::vector<int64_t> setting;  // what no tensor shows: stride, window of a pool, CBFuse's picks

  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;
};

// How the tensors of a state dictionary are called: as WongKinYiu's and Ultralytics' modules, or as
// those of MultimediaTechLab/YOLO.
enum class KeyStyle : uint8_t { kOfficial, kMit };

struct Architecture {
  std::string_view name;
  Dialect dialect = Dialect::kYolov9;
  KeyStyle keys = KeyStyle::kOfficial;
  std::string_view activation = "SiLU";  // or "LeakyReLU", of slope 0.1
  std::vector<LayerSpec> layers;         // the last one is the head
  // Of a head with anchors, one list a level: w0 h0 w1 h1 w2 h2 in pixels.
  std::vector<std::vector<float>> anchors = {};
  // Of an IAuxDetect head: the layers that feed only its auxiliary branch stand right before it.
  int64_t auxiliary_layers = 0;
};

// All known architectures: the official definitions gelan-t/s/m/c/e, yolov9-t/s/m/c/e/cf,
// yolov7-af, yolov7-tiny, yolov7, yolov7x, yolov7-w6/e6/d6/e6e, then MultimediaTechLab's v9-t/s/m/c
// and v7. Sources: WongKinYiu/yolov9 and yolov7, files of models/detect and cfg/training.
const std::vector<Architecture>& architectures();

// "gelan-t, gelan-s, ...".
std::string architecture_names();

// kInvalidArgument lists the names there are.
Result<const Architecture*> find_architecture(std::string_view name);

// The deploy form of an architecture with an IAuxDetect head: without auxiliary layers.
Architecture deploy_form(const Architecture& training);

// Whether both make the same graph, but for widths.
bool same_topology(const Architecture& a, const Architecture& b);

}  // namespace yolocu
