// How the kernels that map pixels to pixels share out their work. Host code, no CUDA.
#pragma once

#include <cstdint>

#include "kernels/launch.h"

namespace yolocu {

// Threads of one block. 256: eight blocks fill a multiprocessor of any supported card, and these
// kernels hold so few registers that more threads would not change occupancy. Not measured.
constexpr int64_t kPixelTileThreads = 256;

// block (lanes, threads / lanes): `lanes` threads share a pixel, one vector of its channels each;
// a power of two that covers the vectors, at most a warp. grid (ceil(pixels / pixels of a block)),
// at most 2^31 - 1: the kernels loop over what is left.
LaunchConfig pixel_tile(int64_t pixels, int64_t channels, int64_t vector_elements, Stream stream);

}  // namespace yolocu
