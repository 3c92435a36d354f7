// mbarrier.h on the host.
#pragma once

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

inline void mbarrier_init(MBarrier barrier, int arrivals, CallSite site) {
  emulation::mbarrier_init(barrier.address(), arrivals, site);
}

inline void fence_mbarrier_init(CallSite site) {
  emulation::fence_mbarrier_init(site);
}

inline void mbarrier_invalidate(MBarrier barrier, CallSite site) {
  emulation::mbarrier_invalidate(barrier.address(), site);
}

inline void mbarrier_arrive(MBarrier barrier, CallSite site) {
  emulation::mbarrier_arrive(barrier.address(), 0, site);
}

inline void mbarrier_arrive_expect(MBarrier barrier, uint32_t bytes, CallSite site) {
  emulation::mbarrier_arrive(barrier.address(), bytes, site);
}

inline void mbarrier_expect(MBarrier barrier, uint32_t bytes, CallSite site) {
  emulation::mbarrier_expect(barrier.address(), bytes, site);
}

inline void mbarrier_arrive_remote(MBarrier barrier, uint32_t block_rank, CallSite site) {
  emulation::mbarrier_arrive_remote(barrier.address(), block_rank, site);
}

inline void mbarrier_wait(MBarrier barrier, uint32_t parity, CallSite site) {
  emulation::mbarrier_wait(barrier.address(), parity, site);
}

inline void mbarrier_wait_cluster(MBarrier barrier, uint32_t parity, CallSite site) {
  emulation::mbarrier_wait(barrier.address(), parity, site);
}

inline int mbarrier_test(MBarrier barrier, uint32_t parity, CallSite site) {
  return emulation::mbarrier_test(barrier.address(), parity, site);
}

}  // namespace emulated_target
}  // namespace yolocu::device
