#include "kernels/emulation/wgmma_layout.h"

#include "engine/base/str_cat.h"

namespace yolocu::emulation {
namespace {

constexpr uint64_t kUnusedBits = 0x3FF1C000C000C000;  // 14-15, 30-31, 46-48, 52-61

uint32_t field(uint64_t descriptor, int first_bit, int bits) {
  return static_cast<uint32_t>(descriptor >> first_bit & ((uint64_t{1} << bits) - 1));
}

std::string start_error(const WgmmaOperand& operand, device::Major major) {
  if (operand.swizzle == Swizzle::kNone) return {};
  const auto span = static_cast<uint32_t>(swizzle_span_bytes(operand.swizzle));
  const uint32_t pattern = pattern_bytes(operand.swizzle);
  if (operand.start % pattern >= span) {
    return str_cat("start must lie in the first ", span, " bytes of a pattern of ", pattern,
                   " bytes, got ", operand.start, ", ", operand.start % pattern, " bytes into it");
  }
  const uint32_t in_span = operand.start % span;
  if (major == device::Major::kMN && in_span != 0) {
    return str_cat("start of an MN-major operand must be a multiple of the span of ", span,
                   " bytes, got ", operand.start);
  }
  if (major == device::Major::kK && in_span + kWgmmaDepthBytes > span) {
    return str_cat("32 bytes of k must end within the span of ", span, " bytes, got start ",
                   operand.start, ", ", in_span, " bytes into it");
  }
  return {};
}

}  // namespace

std::string wgmma_descriptor_error(uint64_t descriptor, device::Major major) {
  if ((descriptor & kUnusedBits) != 0) {
    return str_cat("unused bits of a descriptor must be zero, got 0x", std::hex,
                   descriptor & kUnusedBits);
  }
  if (const uint32_t base_offset = field(descriptor, 49, 3); base_offset != 0) {
    return str_cat("base_offset must be 0, got ", base_offset);
  }
  return start_error(decode_wgmma_descriptor(descriptor), major);
}

WgmmaOperand decode_wgmma_descriptor(uint64_t descriptor) {
  constexpr Swizzle kModes[] = {Swizzle::kNone, Swizzle::k128B, Swizzle::k64B, Swizzle::k32B};
  return {.start = field(descriptor, 0, 14) << 4,
          .leading = field(descriptor, 16, 14) << 4,
          .stride = field(descriptor, 32, 14) << 4,
          .swizzle = kModes[field(descriptor, 62, 2)]};
}

uint32_t wgmma_element_address(const WgmmaOperand& operand, device::Major major, uint32_t row,
                               uint32_t k, uint32_t element_bytes) {
  const uint32_t elements = kWgmmaChunkBytes / element_bytes;
  if (major == device::Major::kK) {
    return k_major_chunk(operand, row, k / elements) + k % elements * element_bytes;
  }
  return mn_major_chunk(operand, k, row / elements) + row % elements * element_bytes;
}

}  // namespace yolocu::emulation
