// From a state dictionary to a checkpoint, by the architecture that is named, or that fits.
#pragma once

#include <string>

#include "weights/import/arch/state_dict.h"
#include "weights/import/module_tree.h"
#include "yolocu/status.h"

namespace yolocu {

// `architecture`: a name, or empty to guess. A guess is right or refused: tensors fit exactly one
// topology, or the error lists those that they fit. Of equal topologies (gelan-t and gelan-s) the
// one with the nearest widths gives the name. kCorrupt names a tensor that is missing, too many or
// of another shape than the architecture needs; kInvalidArgument: a name that is not known.
Result<Checkpoint> checkpoint_from_state_dict(const StateDict& dict,
                                              const std::string& architecture);

}  // namespace yolocu
