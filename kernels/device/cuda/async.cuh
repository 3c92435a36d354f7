// async.h in CUDA.
#pragma once

namespace yolocu::device {
inline namespace cuda_target {

template <int kBytes, typename D, typename S>
YOLOCU_DEVICE void copy_async(SharedPtr<D> dst, int64_t dst_index, GlobalPtr<S> src,
                              int64_t src_index, int source_bytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "cp.async moves 4, 8 or 16 bytes");
  const auto to = static_cast<uint32_t>(__cvta_generic_to_shared((dst + dst_index).address()));
  const void* from = src.get() + src_index;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
                 "r"(source_bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(kBytes),
                 "r"(source_bytes)
                 : "memory");
  }
}

YOLOCU_DEVICE void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int kPending>
YOLOCU_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

YOLOCU_DEVICE void wait_all_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

}  // namespace cuda_target
}  // namespace yolocu::device
