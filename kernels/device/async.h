// Asynchronous copies from global to shared memory without registers: cp.async, sm_80 and later.
//
// A copy belongs to the thread that issued it. commit_copies() closes a group of the copies since
// the last one; wait_copies<N>() waits until at most the N newest groups are pending. Then their
// bytes are visible to this thread; to others only after a barrier.
#pragma once

#include "kernels/device/memory.h"
#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

// cp.async.{ca,cg}.shared.global [dst], [src], kBytes, source_bytes: copies source_bytes
// (0..kBytes) from src[src_index] to dst[dst_index], and fills the rest of the kBytes with zeros.
// kBytes is 4, 8 or 16; both addresses are multiples of it. 16 bytes pass by L1 (.cg). With
// source_bytes 0 nothing is read, but the address must still be aligned.
template <int kBytes, typename D, typename S>
YOLOCU_DEVICE void copy_async(SharedPtr<D> dst, int64_t dst_index, GlobalPtr<S> src,
                              int64_t src_index, int source_bytes = kBytes YOLOCU_SITE);

// cp.async.commit_group.
YOLOCU_DEVICE void commit_copies(YOLOCU_SITE_ONLY);

// cp.async.wait_group kPending. Copies that were never committed are in no group.
template <int kPending>
YOLOCU_DEVICE void wait_copies(YOLOCU_SITE_ONLY);

// cp.async.wait_all: all copies of this thread, committed or not.
YOLOCU_DEVICE void wait_all_copies(YOLOCU_SITE_ONLY);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/async.cuh"
#else
#include "kernels/device/emulated/async.h"
#endif
