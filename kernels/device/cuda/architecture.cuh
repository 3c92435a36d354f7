// What the architecture that this pass compiles for has. A primitive that it lacks stays out of the
// code by `if constexpr`, and traps instead: the kernel fails loudly where it should not have been
// chosen. cmake/kernel_report.py counts the traps.
#pragma once

#include <cstdint>

#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace cuda_target {

#if defined(__CUDA_ARCH__)
constexpr int kArchitecture = __CUDA_ARCH__;
#else
constexpr int kArchitecture = 0;  // the host's pass, which generates no device code
#endif
constexpr bool kHasSm89 = kArchitecture >= 890;  // e4m3
constexpr bool kHasSm90 = kArchitecture >= 900;  // TMA, mbarrier, clusters, stmatrix

// What only "a" targets have, because the next chip may lack it.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
constexpr bool kHasWgmma = true;
#else
constexpr bool kHasWgmma = false;
#endif
// Data centre chips: ptxas takes multicast for sm_120 too, but its cards have no clusters.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || defined(__CUDA_ARCH_FEAT_SM100_ALL) || \
    defined(__CUDA_ARCH_FEAT_SM103_ALL)
constexpr bool kHasMulticast = true;
#else
constexpr bool kHasMulticast = false;
#endif
#if defined(__CUDA_ARCH_FEAT_SM120_ALL)
constexpr bool kHasRegisterChange = true;
#else
constexpr bool kHasRegisterChange = kHasMulticast;
#endif

YOLOCU_DEVICE void unsupported_instruction() {
  asm volatile("trap;");
}

// Address within the window of shared memory, which instructions with .shared take.
YOLOCU_DEVICE uint32_t shared_window_address(const void* address) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(address));
}

// mapa: the same place in block block_rank of the cluster. Callers ask for kHasSm90 first.
YOLOCU_DEVICE uint32_t remote_window_address(uint32_t window_address, uint32_t block_rank) {
  uint32_t remote;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;"
               : "=r"(remote)
               : "r"(window_address), "r"(block_rank));
  return remote;
}

}  // namespace cuda_target
}  // namespace yolocu::device
