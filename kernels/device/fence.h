// Fences: what orders accesses that no barrier orders.
#pragma once

#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

// fence.proxy.async (all state spaces); sm_90. This thread's earlier ordinary accesses to shared
// memory, other blocks' included, and to global memory come before later ones of the asynchronous
// proxy: wgmma operands and bulk copies. Each writer executes it, then a barrier, then one thread
// issues.
// It waits for all memory of the device (MEMBAR.ALL.GPU), a thousand clocks and more.
YOLOCU_DEVICE void fence_async_proxy(YOLOCU_SITE_ONLY);

// fence.proxy.async.shared::cta: the same for shared memory of the own block alone, which is what
// operands of wgmma and sources of stores lie in. Some clocks.
YOLOCU_DEVICE void fence_async_proxy_in_block(YOLOCU_SITE_ONLY);

// fence.acq_rel.gpu (__threadfence); sm_80. Before a relaxed atomic it makes that a release, after
// one an acquire: prefer the orders of atomics.h.
YOLOCU_DEVICE void fence_device(YOLOCU_SITE_ONLY);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/fence.cuh"
#else
#include "kernels/device/emulated/fence.h"
#endif
