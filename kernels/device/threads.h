// Where a thread is, and barriers of its block. All of it exists on sm_80 and later.
#pragma once

#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

constexpr uint32_t kWarpSize = 32;

// %tid, %ctaid, %ntid, %nctaid (threadIdx, blockIdx, blockDim, gridDim).
YOLOCU_DEVICE Index3 thread_index();
YOLOCU_DEVICE Index3 block_index();
YOLOCU_DEVICE Index3 block_extent();
YOLOCU_DEVICE Index3 grid_extent();

// Number of the thread within its block, x fastest; of its warp; of its lane within the warp.
YOLOCU_DEVICE uint32_t thread_rank();
YOLOCU_DEVICE uint32_t warp_rank();
YOLOCU_DEVICE uint32_t lane();
// Threads of a block.
YOLOCU_DEVICE uint32_t thread_count();

// bar.sync 0 (__syncthreads): every thread of the block waits here for all others; what they wrote
// before is visible after. All must come to the same call.
YOLOCU_DEVICE void sync_block(YOLOCU_SITE_ONLY);

// bar.red.popc 0 (__syncthreads_count): sync_block, and the number of threads whose predicate is
// not 0.
YOLOCU_DEVICE int sync_block_count(int predicate YOLOCU_SITE);

// bar.sync id, threads: waits until `threads` threads, a multiple of the warp size, have come to
// barrier id (0..15; 0 is sync_block's) by this or by arrive_barrier. Whole warps take part.
YOLOCU_DEVICE void sync_barrier(int id, int threads YOLOCU_SITE);
// bar.arrive id, threads: counts as having come, and goes on. What this thread wrote before is
// visible to those that wait; it learns nothing of what they wrote.
YOLOCU_DEVICE void arrive_barrier(int id, int threads YOLOCU_SITE);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/threads.cuh"
#else
#include "kernels/device/emulated/threads.h"
#endif
