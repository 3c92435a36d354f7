// memory.h in CUDA. Without a hint a plain access leaves the compiler its freedom.
#pragma once

#include <cstring>

namespace yolocu::device {
inline namespace cuda_target {

// name(address) loads a V with the given instruction; a V of 1 byte goes through the 2-byte
// register.
#define YOLOCU_LOAD_WITH(name, instruction)                                                      \
  template <typename V>                                                                          \
  YOLOCU_DEVICE V name(const void* address) {                                                    \
    V value;                                                                                     \
    if constexpr (sizeof(V) == 16) {                                                             \
      Words4 w;                                                                                  \
      asm volatile(instruction ".v4.u32 {%0, %1, %2, %3}, [%4];"                                 \
                   : "=r"(w.x), "=r"(w.y), "=r"(w.z), "=r"(w.w)                                  \
                   : "l"(address));                                                              \
      memcpy(&value, &w, sizeof(V));                                                             \
    } else if constexpr (sizeof(V) == 8) {                                                       \
      Words2 w;                                                                                  \
      asm volatile(instruction ".v2.u32 {%0, %1}, [%2];" : "=r"(w.x), "=r"(w.y) : "l"(address)); \
      memcpy(&value, &w, sizeof(V));                                                             \
    } else if constexpr (sizeof(V) == 4) {                                                       \
      uint32_t w;                                                                                \
      asm volatile(instruction ".u32 %0, [%1];" : "=r"(w) : "l"(address));                       \
      memcpy(&value, &w, sizeof(V));                                                             \
    } else if constexpr (sizeof(V) == 2) {                                                       \
      uint16_t w;                                                                                \
      asm volatile(instruction ".u16 %0, [%1];" : "=h"(w) : "l"(address));                       \
      memcpy(&value, &w, sizeof(V));                                                             \
    } else {                                                                                     \
      uint16_t w;                                                                                \
      asm volatile(instruction ".u8 %0, [%1];" : "=h"(w) : "l"(address));                        \
      memcpy(&value, &w, sizeof(V));                                                             \
    }                                                                                            \
    return value;                                                                                \
  }

YOLOCU_LOAD_WITH(load_read_only, "ld.global.nc")
YOLOCU_LOAD_WITH(load_read_only_l2_prefetch, "ld.global.nc.L2::128B")
YOLOCU_LOAD_WITH(load_streaming, "ld.global.cs")
#undef YOLOCU_LOAD_WITH

template <typename V, LoadHint kHint>
YOLOCU_DEVICE V load_global(const void* address) {
  if constexpr (kHint == LoadHint::kReadOnly) return load_read_only<V>(address);
  if constexpr (kHint == LoadHint::kReadOnlyL2Prefetch) {
    return load_read_only_l2_prefetch<V>(address);
  }
  if constexpr (kHint == LoadHint::kStreaming) return load_streaming<V>(address);
  if constexpr (kHint == LoadHint::kNone) return *static_cast<const V*>(address);
}

template <typename V>
YOLOCU_DEVICE void store_streaming(void* address, const V& value) {
  if constexpr (sizeof(V) == 16) {
    Words4 w;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(address), "r"(w.x), "r"(w.y),
                 "r"(w.z), "r"(w.w)
                 : "memory");
  } else if constexpr (sizeof(V) == 8) {
    Words2 w;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.global.cs.v2.u32 [%0], {%1, %2};" ::"l"(address), "r"(w.x), "r"(w.y)
                 : "memory");
  } else if constexpr (sizeof(V) == 4) {
    uint32_t w;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.global.cs.u32 [%0], %1;" ::"l"(address), "r"(w) : "memory");
  } else if constexpr (sizeof(V) == 2) {
    uint16_t w;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.global.cs.u16 [%0], %1;" ::"l"(address), "h"(w) : "memory");
  } else {
    uint16_t w = 0;
    memcpy(&w, &value, sizeof(V));
    asm volatile("st.global.cs.u8 [%0], %1;" ::"l"(address), "h"(w) : "memory");
  }
}

template <typename V, StoreHint kHint>
YOLOCU_DEVICE void store_global(void* address, const V& value) {
  if constexpr (kHint == StoreHint::kStreaming) {
    store_streaming(address, value);
  } else {
    *static_cast<V*>(address) = value;
  }
}

template <typename V>
YOLOCU_DEVICE V load_shared(SharedAddress address) {
  return *reinterpret_cast<const V*>(address);
}

template <typename V>
YOLOCU_DEVICE void store_shared(SharedAddress address, const V& value) {
  *reinterpret_cast<V*>(address) = value;
}

template <typename U>
YOLOCU_DEVICE SharedPtr<U> shared_memory(int64_t offset_bytes) {
  extern __shared__ __align__(1024) unsigned char yolocu_shared_memory[];
  return SharedPtr<U>(yolocu_shared_memory + offset_bytes);
}

}  // namespace cuda_target
}  // namespace yolocu::device
