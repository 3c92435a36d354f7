// How much memory a plan may ask for.
#pragma once

#include <cstdint>

#include "yolocu/status.h"

namespace yolocu {

// The machine's physical memory, at most 64 GiB: more is a mistake in the batch or the size.
int64_t memory_limit_bytes();

// kResourceExhausted if `bytes` is above the limit. A double: sums of absurd sizes do not overflow.
Status check_memory(double bytes);

}  // namespace yolocu
