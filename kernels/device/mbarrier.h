// mbarrier: barriers in shared memory that threads and asynchronous copies arrive at. sm_90 for all
// (parts exist on sm_80). Source: PTX ISA 9.0, 9.7.13.15.
//
// An object is 8 bytes, 8-byte aligned. Its phase completes when as many arrivals came as
// mbarrier_init said and no expected byte is outstanding; then the next one begins with the same
// count. Waits name a phase by its parity: 0 for the first. A fresh object passes a wait for parity
// 1. Each phase must be seen by a successful wait before a thread arrives in the next.
#pragma once

#include "kernels/device/memory.h"
#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

using MBarrier = SharedPtr<uint64_t>;

// mbarrier.init.shared::cta.b64; arrivals in 1..2^20-1. One thread; then fence_mbarrier_init by it,
// and a barrier of the block (of the cluster, if other blocks use the object).
YOLOCU_DEVICE void mbarrier_init(MBarrier barrier, int arrivals YOLOCU_SITE);
// fence.mbarrier_init.release.cluster.
YOLOCU_DEVICE void fence_mbarrier_init(YOLOCU_SITE_ONLY);
// mbarrier.inval.shared::cta.b64: the 8 bytes may hold something else after.
YOLOCU_DEVICE void mbarrier_invalidate(MBarrier barrier YOLOCU_SITE);

// mbarrier.arrive.release.cta.shared::cta.b64: one arrival; what this thread did before is visible
// to whoever sees the phase completed.
YOLOCU_DEVICE void mbarrier_arrive(MBarrier barrier YOLOCU_SITE);
// mbarrier.arrive.expect_tx.release.cta.shared::cta.b64: first expects `bytes` more bytes of
// asynchronous copies in this phase, then one arrival. At most 2^20-1 outstanding.
YOLOCU_DEVICE void mbarrier_arrive_expect(MBarrier barrier, uint32_t bytes YOLOCU_SITE);
// mbarrier.expect_tx.relaxed.cta.shared::cta.b64: expects without arriving.
YOLOCU_DEVICE void mbarrier_expect(MBarrier barrier, uint32_t bytes YOLOCU_SITE);
// mapa + mbarrier.arrive.release.cluster.shared::cluster.b64: one arrival at the same object of
// block `block_rank` of the cluster.
YOLOCU_DEVICE void mbarrier_arrive_remote(MBarrier barrier, uint32_t block_rank YOLOCU_SITE);

// Loop of mbarrier.try_wait.parity.acquire.cta.shared::cta.b64: returns once the phase of that
// parity is complete. Only the current and the preceding phase may be asked for.
YOLOCU_DEVICE void mbarrier_wait(MBarrier barrier, uint32_t parity YOLOCU_SITE);
// The same with .acquire.cluster, for phases that other blocks of the cluster arrived at.
YOLOCU_DEVICE void mbarrier_wait_cluster(MBarrier barrier, uint32_t parity YOLOCU_SITE);
// mbarrier.test_wait.parity.acquire.cta.shared::cta.b64: 1 if it is complete, 0 if not; no wait.
YOLOCU_DEVICE int mbarrier_test(MBarrier barrier, uint32_t parity YOLOCU_SITE);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/mbarrier.cuh"
#else
#include "kernels/device/emulated/mbarrier.h"
#endif
