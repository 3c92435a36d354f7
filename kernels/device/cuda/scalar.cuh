// scalar.h in CUDA.
#pragma once

namespace yolocu::device {
inline namespace cuda_target {

YOLOCU_DEVICE float multiply_rounded(float a, float b) {
  return __fmul_rn(a, b);
}

YOLOCU_DEVICE float fused_multiply_add(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}

YOLOCU_DEVICE uint32_t bit_count(uint32_t value) {
  return static_cast<uint32_t>(__popc(value));
}

YOLOCU_DEVICE uint32_t lowest_bit(uint32_t value) {
  return static_cast<uint32_t>(__clz(static_cast<int>(__brev(value))));
}

}  // namespace cuda_target
}  // namespace yolocu::device
