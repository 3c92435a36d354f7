// A tree of modules as the file that torch.save makes of it: zip or legacy.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "weights/import/module_tree.h"

namespace yolocu::testing {

// The type of a stand-in for its only child, which is written once and then named again.
inline constexpr char kSharedModule[] = "shared";

// The opcodes of one object and the storages that they name: key and bytes.
struct PickledTree {
  std::string object;
  std::vector<std::pair<std::string, std::string>> storages;
  std::vector<int64_t> elements;  // of each storage
};

// `root` as the entry "model" of a checkpoint. Tensors are written as their fields say, sound or
// not.
PickledTree pickle_tree(const Module& root);
// The tensors of `root` alone, "model.0.conv.weight": a state dictionary.
PickledTree pickle_tensors(const Module& root);

std::vector<std::byte> zip_file(const PickledTree& tree);
std::vector<std::byte> legacy_file(const PickledTree& tree);

}  // namespace yolocu::testing
