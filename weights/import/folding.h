// Whether a conversion folds, or shows what it would fold.
#pragma once

#include <cstdint>

namespace yolocu {

// kFold: batch norms, parallel branches and implicit knowledge become part of the convolution
// beside them. kKeep: each stays an op of its own, as the modules are: larger and slower, to
// compare with.
enum class Folding : uint8_t { kFold, kKeep };

}  // namespace yolocu
