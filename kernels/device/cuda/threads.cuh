// threads.h in CUDA.
#pragma once

namespace yolocu::device {
inline namespace cuda_target {

YOLOCU_DEVICE Index3 thread_index() {
  return {threadIdx.x, threadIdx.y, threadIdx.z};
}

YOLOCU_DEVICE Index3 block_index() {
  return {blockIdx.x, blockIdx.y, blockIdx.z};
}

YOLOCU_DEVICE Index3 block_extent() {
  return {blockDim.x, blockDim.y, blockDim.z};
}

YOLOCU_DEVICE Index3 grid_extent() {
  return {gridDim.x, gridDim.y, gridDim.z};
}

YOLOCU_DEVICE uint32_t thread_rank() {
  return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
}

YOLOCU_DEVICE uint32_t warp_rank() {
  return thread_rank() / kWarpSize;
}

YOLOCU_DEVICE uint32_t lane() {
  return thread_rank() % kWarpSize;
}

YOLOCU_DEVICE uint32_t thread_count() {
  return blockDim.x * blockDim.y * blockDim.z;
}

YOLOCU_DEVICE void sync_block() {
  __syncthreads();
}

YOLOCU_DEVICE int sync_block_count(int predicate) {
  return __syncthreads_count(predicate);
}

YOLOCU_DEVICE void sync_barrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

YOLOCU_DEVICE void arrive_barrier(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

}  // namespace cuda_target
}  // namespace yolocu::device
