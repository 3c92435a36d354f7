// cluster.h in CUDA.
#pragma once

#include <cstring>

#include "kernels/device/cuda/architecture.cuh"

namespace yolocu::device {
inline namespace cuda_target {

// name(): a special register, constant while the block runs.
#define YOLOCU_CLUSTER_REGISTER(name, special_register)        \
  YOLOCU_DEVICE uint32_t name() {                              \
    uint32_t value = 0;                                        \
    if constexpr (kHasSm90) {                                  \
      asm("mov.u32 %0, %" special_register ";" : "=r"(value)); \
    } else {                                                   \
      unsupported_instruction();                               \
    }                                                          \
    return value;                                              \
  }
YOLOCU_CLUSTER_REGISTER(cluster_block_rank, "%cluster_ctarank")
YOLOCU_CLUSTER_REGISTER(cluster_block_count, "%cluster_nctarank")
YOLOCU_CLUSTER_REGISTER(cluster_block_x, "%cluster_ctaid.x")
YOLOCU_CLUSTER_REGISTER(cluster_block_y, "%cluster_ctaid.y")
YOLOCU_CLUSTER_REGISTER(cluster_block_z, "%cluster_ctaid.z")
YOLOCU_CLUSTER_REGISTER(cluster_extent_x, "%cluster_nctaid.x")
YOLOCU_CLUSTER_REGISTER(cluster_extent_y, "%cluster_nctaid.y")
YOLOCU_CLUSTER_REGISTER(cluster_extent_z, "%cluster_nctaid.z")
#undef YOLOCU_CLUSTER_REGISTER

YOLOCU_DEVICE Index3 cluster_block_index() {
  return {cluster_block_x(), cluster_block_y(), cluster_block_z()};
}

YOLOCU_DEVICE Index3 cluster_extent() {
  return {cluster_extent_x(), cluster_extent_y(), cluster_extent_z()};
}

YOLOCU_DEVICE void arrive_cluster() {
  if constexpr (kHasSm90) {
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void wait_cluster() {
  if constexpr (kHasSm90) {
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void sync_cluster() {
  arrive_cluster();
  wait_cluster();
}

// ld.shared::cluster of a V as words; a V of 1 byte goes through the 2-byte register.
template <typename V>
YOLOCU_DEVICE V load_remote(uint32_t address) {
  V value;
  if constexpr (sizeof(V) == 16) {
    Words4 w;
    asm volatile("ld.shared::cluster.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(w.x), "=r"(w.y), "=r"(w.z), "=r"(w.w)
                 : "r"(address)
                 : "memory");
    memcpy(&value, &w, sizeof(V));
  } else if constexpr (sizeof(V) == 8) {
    Words2 w;
    asm volatile("ld.shared::cluster.v2.u32 {%0, %1}, [%2];"
                 : "=r"(w.x), "=r"(w.y)
                 : "r"(address)
                 : "memory");
    memcpy(&value, &w, sizeof(V));
  } else if constexpr (sizeof(V) == 4) {
    uint32_t w;
    asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(w) : "r"(address) : "memory");
    memcpy(&value, &w, sizeof(V));
  } else if constexpr (sizeof(V) == 2) {
    uint16_t w;
    asm volatile("ld.shared::cluster.u16 %0, [%1];" : "=h"(w) : "r"(address) : "memory");
    memcpy(&value, &w, sizeof(V));
  } else {
    uint16_t w;
    asm volatile("ld.shared::cluster.u8 %0, [%1];" : "=h"(w) : "r"(address) : "memory");
    memcpy(&value, &w, sizeof(V));
  }
  return value;
}

template <typename V>
YOLOCU_DEVICE void store_remote(uint32_t address, const V& value) {
  if constexpr (sizeof(V) == 16) {
    Words4 w;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.shared::cluster.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(w.x),
                 "r"(w.y), "r"(w.z), "r"(w.w)
                 : "memory");
  } else if constexpr (sizeof(V) == 8) {
    Words2 w;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.shared::cluster.v2.u32 [%0], {%1, %2};" ::"r"(address), "r"(w.x), "r"(w.y)
                 : "memory");
  } else if constexpr (sizeof(V) == 4) {
    uint32_t w;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.shared::cluster.u32 [%0], %1;" ::"r"(address), "r"(w) : "memory");
  } else if constexpr (sizeof(V) == 2) {
    uint16_t w;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.shared::cluster.u16 [%0], %1;" ::"r"(address), "h"(w) : "memory");
  } else {
    uint16_t w = 0;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.shared::cluster.u8 [%0], %1;" ::"r"(address), "h"(w) : "memory");
  }
}

template <typename T>
template <typename V>
YOLOCU_DEVICE V RemoteSharedPtr<T>::load(int64_t index) const {
  static_assert(is_access_type<V>, "an access moves 1, 2, 4, 8 or 16 bytes");
  if constexpr (kHasSm90) {
    const uint32_t own = shared_window_address((own_ + index).address());
    return load_remote<V>(remote_window_address(own, block_rank_));
  } else {
    unsupported_instruction();
    return V{};
  }
}

template <typename T>
template <typename V>
YOLOCU_DEVICE void RemoteSharedPtr<T>::store(int64_t index,
                                             const std::type_identity_t<V>& value) const {
  static_assert(is_access_type<V>, "an access moves 1, 2, 4, 8 or 16 bytes");
  if constexpr (kHasSm90) {
    const uint32_t own = shared_window_address((own_ + index).address());
    store_remote<V>(remote_window_address(own, block_rank_), value);
  } else {
    unsupported_instruction();
  }
}

}  // namespace cuda_target
}  // namespace yolocu::device
