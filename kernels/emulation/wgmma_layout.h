// Where wgmma finds the elements of an operand in shared memory. Pure: no block, no memory.
// Source: PTX ISA 9.0, 9.7.15.5.1.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/device/wgmma_descriptor.h"
#include "kernels/emulation/swizzle.h"

namespace yolocu::emulation {

// A decoded descriptor; all in bytes. Their meaning by mode is at device::wgmma_descriptor.
struct WgmmaOperand {
  uint32_t start, leading, stride;
  Swizzle swizzle;
};

// Bytes of k that one instruction multiplies, whatever the type.
constexpr uint32_t kWgmmaDepthBytes = 32;
constexpr uint32_t kWgmmaChunkBytes = 16;

// The rule that a descriptor breaks, with its value; empty if none:
//   unused bits 14-15, 30-31, 46-48, 52-61 are zero
//   base_offset (bits 49-51) is 0: what another value does was never measured
//   start lies in the first row of a pattern: bits 7..9 zero for 128B, 6..8 for 64B, 5..7 for 32B
//     (with another row the base_offset would not be 0, or rows would be read off the pattern)
//   kK: the 32 bytes of k end within that row's span
//   kMN: start is a multiple of the span
std::string wgmma_descriptor_error(uint64_t descriptor, device::Major major);

WgmmaOperand decode_wgmma_descriptor(uint64_t descriptor);

// kK: address of 16 bytes of row `row` (of M or N): chunk 0 or 1 of the instruction's k.
constexpr uint32_t k_major_chunk(const WgmmaOperand& operand, uint32_t row, uint32_t chunk) {
  const uint32_t row_pitch = kWgmmaChunkBytes * (swizzle_mask(operand.swizzle) + 1);
  const uint32_t to_chunk = operand.swizzle == Swizzle::kNone ? operand.leading : kWgmmaChunkBytes;
  return swizzled(operand.start + row % 8 * row_pitch + row / 8 * operand.stride + chunk * to_chunk,
                  operand.swizzle);
}

// kMN: address of 16 bytes along M or N, number `chunk`, of one k.
constexpr uint32_t mn_major_chunk(const WgmmaOperand& operand, uint32_t k, uint32_t chunk) {
  const uint32_t span_chunks = swizzle_mask(operand.swizzle) + 1;
  if (operand.swizzle == Swizzle::kNone) {
    return operand.start + chunk * operand.stride + k % 8 * kWgmmaChunkBytes +
           k / 8 * operand.leading;
  }
  return swizzled(operand.start + chunk % span_chunks * kWgmmaChunkBytes +
                      chunk / span_chunks * operand.leading +
                      k % 8 * (span_chunks * kWgmmaChunkBytes) + k / 8 * operand.stride,
                  operand.swizzle);
}

// Address of element (row, k); row along M or N. element_bytes 1 or 2.
uint32_t wgmma_element_address(const WgmmaOperand& operand, device::Major major, uint32_t row,
                               uint32_t k, uint32_t element_bytes);

// function(address, row, k) for all 16-byte chunks of an operand of `rows` rows. The chunk holds
// 16 / element_bytes elements that begin at (row, k) and go on along k (kK) or along M/N (kMN).
template <typename Function>
void for_each_wgmma_chunk(const WgmmaOperand& operand, device::Major major, uint32_t rows,
                          uint32_t element_bytes, Function&& function) {
  const uint32_t elements = kWgmmaChunkBytes / element_bytes;
  if (major == device::Major::kK) {
    for (uint32_t row = 0; row < rows; ++row) {
      function(k_major_chunk(operand, row, 0), row, 0u);
      function(k_major_chunk(operand, row, 1), row, elements);
    }
    return;
  }
  for (uint32_t k = 0; k < kWgmmaDepthBytes / element_bytes; ++k) {
    for (uint32_t row = 0; row < rows; row += elements) {
      function(mn_major_chunk(operand, k, row / elements), row, k);
    }
  }
}

}  // namespace yolocu::emulation
