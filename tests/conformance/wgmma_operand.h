// Where wgmma expects an operand in shared memory, from the figures of PTX ISA 9.0, 9.7.15.5.1:
// spans of a swizzle stacked, or cores of 8 x 16 bytes.
#pragma once

#include "kernels/device/wgmma_descriptor.h"
#include "tests/conformance/boxes.h"

namespace yolocu::conformance {

// One operand [rows, depth] of 8- or 16-bit elements; depth is kWgmmaSteps instructions' k, which
// is 128 bytes where k is contiguous. It begins at a multiple of 1024 bytes.
constexpr int64_t kWgmmaSteps = 4;

struct WgmmaOperand {
  int64_t rows, element_bytes;
  Swizzle swizzle;
  device::Major major;

  int64_t depth() const { return kWgmmaSteps * 32 / element_bytes; }
  int64_t bytes() const { return rows * depth() * element_bytes; }
  int64_t span() const { return swizzle_span_bytes(swizzle); }

  // Byte of the element (row, k). Contiguous dimension: bytes `along`; across it, lines.
  int64_t offset(int64_t row, int64_t k) const {
    const bool along_k = major == device::Major::kK;
    const int64_t along = (along_k ? k : row) * element_bytes, line = along_k ? row : k;
    const int64_t lines = along_k ? rows : depth();
    if (swizzle == Swizzle::kNone) {
      // Cores: 8 lines of 16 bytes. Those of one 16 bytes' column of all lines lie together.
      return (along / 16 * (lines / 8) + line / 8) * 128 + line % 8 * 16 + along % 16;
    }
    return swizzled(swizzle, along / span() * (lines * span()) + line * span() + along % span());
  }

  // For the descriptor: bytes from the operand's start to that of step s, and its two offsets.
  int64_t step_start(int64_t step) const {
    const int64_t lines = major == device::Major::kK ? rows : depth();
    if (major == device::Major::kMN) return step * 16 * (swizzle == Swizzle::kNone ? 16 : span());
    if (swizzle == Swizzle::kNone) return step * 2 * lines * 16;
    return step * 32 / span() * (lines * span()) + step * 32 % span();
  }
  int64_t leading_bytes() const {
    const bool along_k = major == device::Major::kK;
    if (swizzle == Swizzle::kNone) return along_k ? rows * 16 : 128;
    return along_k ? 16 : depth() * span();
  }
  int64_t stride_bytes() const {
    if (swizzle != Swizzle::kNone) return 8 * span();
    return major == device::Major::kK ? 128 : depth() * 16;
  }
};

// elements [rows, depth] in that order.
template <typename T>
void place_operand(Bytes& shared, int64_t start, const WgmmaOperand& operand,
                   const std::vector<T>& elements) {
  for (int64_t row = 0; row < operand.rows; ++row) {
    for (int64_t k = 0; k < operand.depth(); ++k) {
      std::memcpy(shared.data() + start + operand.offset(row, k),
                  &elements[static_cast<size_t>(row * operand.depth() + k)], sizeof(T));
    }
  }
}

}  // namespace yolocu::conformance
