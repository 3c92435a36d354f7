// cluster.h on the host.
#pragma once

#include <cstring>

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

inline uint32_t cluster_block_rank() {
  return emulation::cluster_block_rank();
}

inline Index3 cluster_extent() {
  return emulation::cluster_extent();
}

inline uint32_t cluster_block_count() {
  const Index3 extent = cluster_extent();
  return extent.x * extent.y * extent.z;
}

inline Index3 cluster_block_index() {
  const uint32_t rank = cluster_block_rank();
  const Index3 extent = cluster_extent();
  return {rank % extent.x, rank / extent.x % extent.y, rank / extent.x / extent.y};
}

inline void arrive_cluster(CallSite site) {
  emulation::arrive_cluster(site);
}

inline void wait_cluster(CallSite site) {
  emulation::wait_cluster(site);
}

inline void sync_cluster(CallSite site) {
  emulation::arrive_cluster(site);
  emulation::wait_cluster(site);
}

template <typename T>
template <typename V>
V RemoteSharedPtr<T>::load(int64_t index, CallSite site) const {
  static_assert(is_access_type<V>, "an access moves 1, 2, 4, 8 or 16 bytes");
  V value;
  std::memcpy(&value,
              emulation::read_remote((own_ + index).address(), block_rank_, sizeof(V), site),
              sizeof(V));
  return value;
}

template <typename T>
template <typename V>
void RemoteSharedPtr<T>::store(int64_t index, const std::type_identity_t<V>& value,
                               CallSite site) const {
  static_assert(is_access_type<V>, "an access moves 1, 2, 4, 8 or 16 bytes");
  std::memcpy(emulation::write_remote((own_ + index).address(), block_rank_, sizeof(V), site),
              &value, sizeof(V));
}

}  // namespace emulated_target
}  // namespace yolocu::device
