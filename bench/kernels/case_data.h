// What the memory of a case holds before it is measured.
#pragma once

#include <cstddef>
#include <vector>

#include "bench/kernels/kernel_case.h"
#include "engine/gpu/enqueue.h"

namespace yolocu::bench {

// The bytes of the case's arena but for the records of pictures, which hold addresses. Numbers are
// drawn from [-1, 1): what a GPU draws of power, and so its clock, depends on them. Of head maps
// one pixel in kAnchorsPerCandidate passes the default confidence. Reproducible.
std::vector<std::byte> arena_data(const KernelCase& one);

// The records of pictures of a letterbox case whose arena is at `arena` in device memory. Errors of
// letterbox_picture.
Result<std::vector<LetterboxPicture>> picture_records(const KernelCase& one,
                                                      const std::byte* arena);

}  // namespace yolocu::bench
