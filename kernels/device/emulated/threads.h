// threads.h on the host.
#pragma once

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

inline Index3 thread_index() {
  return emulation::thread_index();
}

inline Index3 block_index() {
  return emulation::block_index();
}

inline Index3 block_extent() {
  return emulation::block_extent();
}

inline Index3 grid_extent() {
  return emulation::grid_extent();
}

inline uint32_t thread_rank() {
  return emulation::thread_rank();
}

inline uint32_t warp_rank() {
  return thread_rank() / kWarpSize;
}

inline uint32_t lane() {
  return thread_rank() % kWarpSize;
}

inline uint32_t thread_count() {
  const Index3 extent = block_extent();
  return extent.x * extent.y * extent.z;
}

inline void sync_block(CallSite site) {
  emulation::sync_block(0, site);
}

inline int sync_block_count(int predicate, CallSite site) {
  return emulation::sync_block(predicate, site);
}

inline void sync_barrier(int id, int threads, CallSite site) {
  emulation::sync_barrier(id, threads, site);
}

inline void arrive_barrier(int id, int threads, CallSite site) {
  emulation::arrive_barrier(id, threads, site);
}

}  // namespace emulated_target
}  // namespace yolocu::device
