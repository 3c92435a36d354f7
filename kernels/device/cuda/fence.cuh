// fence.h in CUDA.
#pragma once

#include "kernels/device/cuda/architecture.cuh"

namespace yolocu::device {
inline namespace cuda_target {

YOLOCU_DEVICE void fence_async_proxy() {
  if constexpr (kHasSm90) {
    asm volatile("fence.proxy.async;" ::: "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void fence_async_proxy_in_block() {
  if constexpr (kHasSm90) {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void fence_device() {
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
}

}  // namespace cuda_target
}  // namespace yolocu::device
