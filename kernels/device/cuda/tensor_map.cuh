// tensor_map.h in CUDA. make_tensor_map: kernels/tensor_map.cu.
#pragma once

#include "kernels/device/cuda/architecture.cuh"

namespace yolocu::device {
inline namespace cuda_target {

YOLOCU_DEVICE void prefetch_map(const TensorMap& map) {
  if constexpr (kHasSm90) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(&map.map) : "memory");
  } else {
    unsupported_instruction();
  }
}

// Coordinates as the text and the operands of an instruction; they are its last operands, from
// number 4 on for loads and 2 on for stores.
#define YOLOCU_AT_1(at) "r"(at[0])
#define YOLOCU_AT_2(at) YOLOCU_AT_1(at), "r"(at[1])
#define YOLOCU_AT_3(at) YOLOCU_AT_2(at), "r"(at[2])
#define YOLOCU_AT_4(at) YOLOCU_AT_3(at), "r"(at[3])
#define YOLOCU_AT_5(at) YOLOCU_AT_4(at), "r"(at[4])

// The destination's space where that is the own block. .shared::cta needs PTX 8.6, which every nvcc
// that knows sm_100 has; with .shared::cluster ptxas 13.0 gives sm_120 a stack frame for each load.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
#define YOLOCU_OWN_BLOCK ".shared::cta"
#else
#define YOLOCU_OWN_BLOCK ".shared::cluster"
#endif

// A box to shared memory. `modifiers` follow "...bytes", `mask` the barrier's address.
#define YOLOCU_LOAD_BOX(rank, text, space, modifiers, mask)                               \
  asm volatile("cp.async.bulk.tensor." #rank "d" space                                    \
               ".global.tile.mbarrier::complete_tx::bytes" modifiers " [%0], [%1, {" text \
               "}], [%2]" mask ";" ::"r"(to),                                             \
               "l"(&map.map), "r"(signal), "h"(block_mask), YOLOCU_AT_##rank(at.at)       \
               : "memory")
#define YOLOCU_LOAD_BOX_OF_RANK(space, modifiers, mask)                                   \
  if constexpr (kRank == 1) YOLOCU_LOAD_BOX(1, "%4", space, modifiers, mask);             \
  if constexpr (kRank == 2) YOLOCU_LOAD_BOX(2, "%4, %5", space, modifiers, mask);         \
  if constexpr (kRank == 3) YOLOCU_LOAD_BOX(3, "%4, %5, %6", space, modifiers, mask);     \
  if constexpr (kRank == 4) YOLOCU_LOAD_BOX(4, "%4, %5, %6, %7", space, modifiers, mask); \
  if constexpr (kRank == 5) YOLOCU_LOAD_BOX(5, "%4, %5, %6, %7, %8", space, modifiers, mask)

template <int kRank, typename T>
YOLOCU_DEVICE void load_box(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                            const BoxCoordinates<kRank>& at) {
  static_assert(kRank >= 1 && kRank <= kMapMaxRank, "a box has 1 to 5 dimensions");
  if constexpr (kHasSm90) {
    const uint32_t to = shared_window_address(dst.address());
    const uint32_t signal = shared_window_address(barrier.address());
    const uint16_t block_mask = 0;  // not in the text
    YOLOCU_LOAD_BOX_OF_RANK(YOLOCU_OWN_BLOCK, "", "");
  } else {
    unsupported_instruction();
  }
}

template <int kRank, typename T>
YOLOCU_DEVICE void load_box_multicast(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                                      const BoxCoordinates<kRank>& at, uint16_t block_mask) {
  static_assert(kRank >= 1 && kRank <= kMapMaxRank, "a box has 1 to 5 dimensions");
  if constexpr (kHasMulticast) {
    const uint32_t to = shared_window_address(dst.address());
    const uint32_t signal = shared_window_address(barrier.address());
    YOLOCU_LOAD_BOX_OF_RANK(".shared::cluster", ".multicast::cluster", ", %3");
  } else {
    unsupported_instruction();
  }
}
#undef YOLOCU_LOAD_BOX_OF_RANK
#undef YOLOCU_LOAD_BOX

// Taps are 16-bit operands after the coordinates.
#define YOLOCU_TAP_3(tap) "h"(static_cast<uint16_t>(tap[0]))
#define YOLOCU_TAP_4(tap) YOLOCU_TAP_3(tap), "h"(static_cast<uint16_t>(tap[1]))
#define YOLOCU_TAP_5(tap) YOLOCU_TAP_4(tap), "h"(static_cast<uint16_t>(tap[2]))

#define YOLOCU_LOAD_IM2COL(rank, text, taps, space, modifiers, mask)                        \
  asm volatile("cp.async.bulk.tensor." #rank "d" space                                      \
               ".global.im2col.mbarrier::complete_tx::bytes" modifiers " [%0], [%1, {" text \
               "}], [%2], {" taps "}" mask ";" ::"r"(to),                                   \
               "l"(&map.map), "r"(signal), "h"(block_mask), YOLOCU_AT_##rank(at.at),        \
               YOLOCU_TAP_##rank(tap.at)                                                    \
               : "memory")
#define YOLOCU_LOAD_IM2COL_OF_RANK(space, modifiers, mask)                                     \
  if constexpr (kRank == 3) YOLOCU_LOAD_IM2COL(3, "%4, %5, %6", "%7", space, modifiers, mask); \
  if constexpr (kRank == 4)                                                                    \
    YOLOCU_LOAD_IM2COL(4, "%4, %5, %6, %7", "%8, %9", space, modifiers, mask);                 \
  if constexpr (kRank == 5)                                                                    \
  YOLOCU_LOAD_IM2COL(5, "%4, %5, %6, %7, %8", "%9, %10, %11", space, modifiers, mask)

template <int kRank, typename T>
YOLOCU_DEVICE void load_im2col(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                               const BoxCoordinates<kRank>& at,
                               const BoxCoordinates<kRank - 2>& tap) {
  static_assert(kRank >= 3 && kRank <= kMapMaxRank, "im2col has 3 to 5 dimensions");
  if constexpr (kHasSm90) {
    const uint32_t to = shared_window_address(dst.address());
    const uint32_t signal = shared_window_address(barrier.address());
    const uint16_t block_mask = 0;  // not in the text
    YOLOCU_LOAD_IM2COL_OF_RANK(YOLOCU_OWN_BLOCK, "", "");
  } else {
    unsupported_instruction();
  }
}

template <int kRank, typename T>
YOLOCU_DEVICE void load_im2col_multicast(SharedPtr<T> dst, const TensorMap& map, MBarrier barrier,
                                         const BoxCoordinates<kRank>& at,
                                         const BoxCoordinates<kRank - 2>& tap,
                                         uint16_t block_mask) {
  static_assert(kRank >= 3 && kRank <= kMapMaxRank, "im2col has 3 to 5 dimensions");
  if constexpr (kHasMulticast) {
    const uint32_t to = shared_window_address(dst.address());
    const uint32_t signal = shared_window_address(barrier.address());
    YOLOCU_LOAD_IM2COL_OF_RANK(".shared::cluster", ".multicast::cluster", ", %3");
  } else {
    unsupported_instruction();
  }
}
#undef YOLOCU_LOAD_IM2COL_OF_RANK
#undef YOLOCU_LOAD_IM2COL
#undef YOLOCU_OWN_BLOCK

#define YOLOCU_STORE_BOX(rank, text)                                                            \
  asm volatile("cp.async.bulk.tensor." #rank "d.global.shared::cta.tile.bulk_group [%0, {" text \
               "}], [%1];" ::"l"(&map.map),                                                     \
               "r"(from), YOLOCU_AT_##rank(at.at)                                               \
               : "memory")

template <int kRank, typename T>
YOLOCU_DEVICE void store_box(const TensorMap& map, const BoxCoordinates<kRank>& at,
                             SharedPtr<T> src) {
  static_assert(kRank >= 1 && kRank <= kMapMaxRank, "a box has 1 to 5 dimensions");
  if constexpr (kHasSm90) {
    const uint32_t from = shared_window_address(src.address());
    if constexpr (kRank == 1) YOLOCU_STORE_BOX(1, "%2");
    if constexpr (kRank == 2) YOLOCU_STORE_BOX(2, "%2, %3");
    if constexpr (kRank == 3) YOLOCU_STORE_BOX(3, "%2, %3, %4");
    if constexpr (kRank == 4) YOLOCU_STORE_BOX(4, "%2, %3, %4, %5");
    if constexpr (kRank == 5) YOLOCU_STORE_BOX(5, "%2, %3, %4, %5, %6");
  } else {
    unsupported_instruction();
  }
}
#undef YOLOCU_STORE_BOX
#undef YOLOCU_TAP_3
#undef YOLOCU_TAP_4
#undef YOLOCU_TAP_5
#undef YOLOCU_AT_1
#undef YOLOCU_AT_2
#undef YOLOCU_AT_3
#undef YOLOCU_AT_4
#undef YOLOCU_AT_5

YOLOCU_DEVICE void commit_stores() {
  if constexpr (kHasSm90) {
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
  } else {
    unsupported_instruction();
  }
}

template <int kPending>
YOLOCU_DEVICE void wait_stores_read() {
  if constexpr (kHasSm90) {
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kPending) : "memory");
  } else {
    unsupported_instruction();
  }
}

template <int kPending>
YOLOCU_DEVICE void wait_stores() {
  if constexpr (kHasSm90) {
    asm volatile("cp.async.bulk.wait_group %0;" ::"n"(kPending) : "memory");
  } else {
    unsupported_instruction();
  }
}

}  // namespace cuda_target
}  // namespace yolocu::device
