// tensor_map.h on the host.
#pragma once

#include "kernels/emulation/primitives.h"
#include "kernels/emulation/tensor_walk.h"

namespace yolocu::device {
inline namespace emulated_target {

inline Result<TensorMap> make_tensor_map(const TensorMapSpec& spec) {
  YOLOCU_RETURN_IF_ERROR(check_tensor_map(spec));
  return TensorMap{spec};
}

inline void prefetch_map(const TensorMap&, CallSite) {}

template <int kRank, typename T>
emulation::BoxAccess box_access(SharedPtr<T> place, const TensorMap& map,
                                const BoxCoordinates<kRank>& at) {
  emulation::BoxAccess access{.map = map.spec, .shared_address = place.address()};
  for (size_t i = 0; i < kRank; ++i) access.at[i] = at.at[i];
  return access;
}

template <int kRank, typename T>
void load_box(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
              const BoxCoordinates<kRank>& at, CallSite site) {
  emulation::load_box(box_access(dst, map, at), barrier.address(), MapMode::kTiled, kRank,
                      emulation::kOwnBlock, site);
}

template <int kRank, typename T>
void load_box_multicast(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                        const BoxCoordinates<kRank>& at, uint16_t block_mask, CallSite site) {
  emulation::load_box(box_access(dst, map, at), barrier.address(), MapMode::kTiled, kRank,
                      block_mask, site);
}

template <int kRank, typename T>
emulation::BoxAccess im2col_access(SharedPtr<T> dst, const TensorMap& map,
                                   const BoxCoordinates<kRank>& at,
                                   const BoxCoordinates<kRank - 2>& tap) {
  emulation::BoxAccess access = box_access(dst, map, at);
  for (size_t i = 0; i + 2 < kRank; ++i) access.taps[i] = tap.at[i];
  return access;
}

template <int kRank, typename T>
void load_im2col(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                 const BoxCoordinates<kRank>& at, const BoxCoordinates<kRank - 2>& tap,
                 CallSite site) {
  emulation::load_box(im2col_access(dst, map, at, tap), barrier.address(), MapMode::kIm2col, kRank,
                      emulation::kOwnBlock, site);
}

template <int kRank, typename T>
void load_im2col_multicast(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                           const BoxCoordinates<kRank>& at, const BoxCoordinates<kRank - 2>& tap,
                           uint16_t block_mask, CallSite site) {
  emulation::load_box(im2col_access(dst, map, at, tap), barrier.address(), MapMode::kIm2col, kRank,
                      block_mask, site);
}

template <int kRank, typename T>
void store_box(const TensorMap& map, const BoxCoordinates<kRank>& at, SharedPtr<T> src,
               CallSite site) {
  emulation::store_box(box_access(src, map, at), kRank, site);
}

inline void commit_stores(CallSite site) {
  emulation::commit_stores(site);
}

template <int kPending>
void wait_stores_read(CallSite site) {
  static_assert(kPending >= 0, "a number of groups");
  emulation::wait_stores_read(kPending, site);
}

template <int kPending>
void wait_stores(CallSite site) {
  static_assert(kPending >= 0, "a number of groups");
  emulation::wait_stores(kPending, site);
}

}  // namespace emulated_target
}  // namespace yolocu::device
