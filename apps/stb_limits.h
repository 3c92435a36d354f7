// A bound on what stb may allocate while it decodes one picture.
#pragma once

#include <cstddef>

namespace yolocu {

// Sets the largest single allocation of this thread's next decoding, in bytes. A small compressed
// stream can ask for any amount, whatever size its header gives.
void limit_stb_allocations(size_t bytes);

}  // namespace yolocu
