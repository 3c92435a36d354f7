// How wgmma names an operand in shared memory. The same on both targets and on the host, apart from
// wgmma.h so that what decodes descriptors needs no other primitive.
#pragma once

#include <cstdint>

#include "kernels/device/target.h"
#include "kernels/tensor_map_spec.h"

namespace yolocu::device {

// Of an operand in shared memory: k contiguous, or M / N contiguous (Half and Bfloat16 only).
enum class Major : uint8_t { kK, kMN };

// Descriptor of an operand in shared memory (PTX 9.7.15.5.1.2): address, leading and stride byte
// offsets (all >> 4), swizzle mode 0 none, 1 128B, 2 64B, 3 32B; base_offset 0, so the pattern must
// start at 1024, 512 or 256 bytes. Offsets:
//   kK, swizzled: leading ignored (16); stride = bytes to the next 8 rows
//   kK, kNone: leading = to the second 16 bytes of k, stride = to the next 8 rows
//   kMN, swizzled: leading = to the next span of M/N, stride = to the next 8 k
//   kMN, kNone: stride = to the next 16 bytes of M/N, leading = to the next 8 k
// address_bytes: from the start of the shared window.
YOLOCU_HOST_DEVICE constexpr uint64_t wgmma_descriptor(uint32_t address_bytes,
                                                       uint32_t leading_bytes,
                                                       uint32_t stride_bytes, Swizzle swizzle) {
  const uint64_t mode = swizzle == Swizzle::k128B  ? 1
                        : swizzle == Swizzle::k64B ? 2
                        : swizzle == Swizzle::k32B ? 3
                                                   : 0;
  return uint64_t{(address_bytes & 0x3FFFFu) >> 4} |
         uint64_t{(leading_bytes & 0x3FFFFu) >> 4} << 16 |
         uint64_t{(stride_bytes & 0x3FFFFu) >> 4} << 32 | mode << 62;
}

}  // namespace yolocu::device
