// The swizzles of shared memory, as TMA, wgmma and kernels that read what those wrote apply them.
// Source: PTX ISA 9.0, 5.5.7.
#pragma once

#include <cstdint>

#include "kernels/tensor_map_spec.h"

namespace yolocu::emulation {

// 16-byte chunks are permuted within a span of this many, less one: 0, 1, 3 or 7.
constexpr uint32_t swizzle_mask(Swizzle swizzle) {
  switch (swizzle) {
    case Swizzle::kNone: return 0;
    case Swizzle::k32B: return 1;
    case Swizzle::k64B: return 3;
    case Swizzle::k128B: return 7;
  }
  return 0;
}

// Where the hardware puts what belongs at `address`, which counts from the start of the shared
// window: bits [4..] ^= bits [7..], of the absolute address. Its own inverse.
constexpr uint32_t swizzled(uint32_t address, Swizzle swizzle) {
  return address ^ ((address >> 7 & swizzle_mask(swizzle)) << 4);
}

// After so many bytes the permutation repeats, and to so many tiles are aligned: 256, 512, 1024.
// kNone: 128, what TMA asks of any address in shared memory.
constexpr uint32_t pattern_bytes(Swizzle swizzle) {
  return 128 * (swizzle_mask(swizzle) + 1);
}

}  // namespace yolocu::emulation
