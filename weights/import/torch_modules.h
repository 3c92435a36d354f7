// Pickled modules of PyTorch as a tree of Module.
#pragma once

#include <string>

#include "weights/import/module_tree.h"
#include "weights/import/pickle.h"
#include "weights/import/torch_file.h"
#include "yolocu/status.h"

namespace yolocu {

// Whether `object` (or nullptr) is an instance of an allowed module class.
bool is_module(PickleRef object);

// The instance's __dict__: BUILD's argument, or the first of (__dict__, slots). nullptr if absent.
PickleRef instance_dict(const PickleObject& object);

// The module `object` with all its children. Children come from `_modules`, tensors from
// `_parameters`, `_buffers` and plain attributes; a bound method that replaces another becomes its
// name as text ("forward" = "forward_fuse"); what is none of Attribute's kinds, begins with '_' or
// is a module outside `_modules` is left out. An instance that is referenced several times is
// copied. kCorrupt: modules that contain themselves or are nested deeper than 64, entries that are
// not what their dictionary says, broken tensors; kResourceExhausted: more than 100,000 modules.
Result<Module> build_module_tree(TorchFile& file, PickleRef object);

}  // namespace yolocu
