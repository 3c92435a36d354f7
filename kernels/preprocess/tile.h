// Launch of the letterbox. Host code, no CUDA.
#pragma once

#include "kernels/preprocess/letterbox.h"

namespace yolocu {

// Output pixels of a block, one thread each: a warp stores a run of one row, and its 8 rows share
// the picture's rows in L1. Not measured.
constexpr int64_t kLetterboxTileWidth = 32;
constexpr int64_t kLetterboxTileHeight = 8;

// grid (ceil(W / tile width), ceil(H / tile height), batch). The problem must have passed
// can_implement.
LaunchConfig letterbox_launch(const LetterboxProblem& problem, Stream stream);

}  // namespace yolocu
