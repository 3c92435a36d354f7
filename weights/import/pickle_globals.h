// The allow-list: every global a checkpoint may name, and what a call of it may mean here.
#pragma once

#include <cstdint>
#include <string_view>

namespace yolocu {

enum class GlobalKind : uint8_t {
  kRefused,
  kModuleClass,  // a class of neural network module: an inert name and its attributes
  kDataClass,    // another inert class: argparse Namespace, numpy ndarray
  kFunction,     // recorded with its arguments, never run: torch._utils _rebuild_tensor_v2
  kDict,         // its call is read as a dictionary: collections OrderedDict
  kSet,          // its call is read as a set
  kName,         // only ever named, never called: storage types
};

// `global`: "module name", with one space, as GLOBAL spells it. Module classes are the classes
// directly inside the packages "models.", "torch.nn.modules." and "ultralytics.nn."; all others
// are exact names.
GlobalKind classify_global(std::string_view global);

}  // namespace yolocu
