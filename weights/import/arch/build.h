// From an architecture and tensors to a checkpoint: the same tree of modules that a pickled model
// gives, for the same lowering.
#pragma once

#include <cstdint>

#include "weights/import/arch/architecture.h"
#include "weights/import/arch/tensor_source.h"
#include "weights/import/module_tree.h"
#include "yolocu/status.h"

namespace yolocu {

// Checkpoint without class names. `classes` counts only where no tensor does. kCorrupt names the
// first tensor that is missing or has another shape than the layers around it need.
Result<Checkpoint> build_checkpoint(const Architecture& architecture, TensorSource& source,
                                    int64_t classes = 80);

// How far the widths of a built model are from those of `architecture`, which has its topology: the
// sum of |ln(width / official width)| over all layers.
double width_distance(const Checkpoint& checkpoint, const Architecture& architecture);

}  // namespace yolocu
