// mbarrier.h in CUDA.
#pragma once

#include "kernels/device/cuda/architecture.cuh"

namespace yolocu::device {
inline namespace cuda_target {

YOLOCU_DEVICE void mbarrier_init(MBarrier barrier, int arrivals) {
  if constexpr (kHasSm90) {
    asm volatile(
        "mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_window_address(barrier.address())),
        "r"(arrivals)
        : "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void fence_mbarrier_init() {
  if constexpr (kHasSm90) {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void mbarrier_invalidate(MBarrier barrier) {
  if constexpr (kHasSm90) {
    asm volatile(
        "mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_window_address(barrier.address()))
        : "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void mbarrier_arrive(MBarrier barrier) {
  if constexpr (kHasSm90) {
    // The state that it returns is not kept: waits go by the parity.
    asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(
                     shared_window_address(barrier.address()))
                 : "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void mbarrier_arrive_expect(MBarrier barrier, uint32_t bytes) {
  if constexpr (kHasSm90) {
    asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(
                     shared_window_address(barrier.address())),
                 "r"(bytes)
                 : "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void mbarrier_expect(MBarrier barrier, uint32_t bytes) {
  if constexpr (kHasSm90) {
    asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(
                     shared_window_address(barrier.address())),
                 "r"(bytes)
                 : "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void mbarrier_arrive_remote(MBarrier barrier, uint32_t block_rank) {
  if constexpr (kHasSm90) {
    const uint32_t remote =
        remote_window_address(shared_window_address(barrier.address()), block_rank);
    asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(remote)
                 : "memory");
  } else {
    unsupported_instruction();
  }
}

// try_wait gives up after a time of the hardware's choice: hence the loops.
YOLOCU_DEVICE void mbarrier_wait(MBarrier barrier, uint32_t parity) {
  if constexpr (kHasSm90) {
    const uint32_t address = shared_window_address(barrier.address());
    uint32_t complete;
    do {
      asm volatile(
          "{\n.reg .pred p;\n"
          "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 p, [%1], %2;\n"
          "selp.u32 %0, 1, 0, p;\n}"
          : "=r"(complete)
          : "r"(address), "r"(parity)
          : "memory");
    } while (complete == 0);
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void mbarrier_wait_cluster(MBarrier barrier, uint32_t parity) {
  if constexpr (kHasSm90) {
    const uint32_t address = shared_window_address(barrier.address());
    uint32_t complete;
    do {
      asm volatile(
          "{\n.reg .pred p;\n"
          "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n"
          "selp.u32 %0, 1, 0, p;\n}"
          : "=r"(complete)
          : "r"(address), "r"(parity)
          : "memory");
    } while (complete == 0);
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE int mbarrier_test(MBarrier barrier, uint32_t parity) {
  int complete = 0;
  if constexpr (kHasSm90) {
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.test_wait.parity.acquire.cta.shared::cta.b64 p, [%1], %2;\n"
        "selp.s32 %0, 1, 0, p;\n}"
        : "=r"(complete)
        : "r"(shared_window_address(barrier.address())), "r"(parity)
        : "memory");
  } else {
    unsupported_instruction();
  }
  return complete;
}

}  // namespace cuda_target
}  // namespace yolocu::device
