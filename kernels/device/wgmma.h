// wgmma: matrix products of a warpgroup (4 warps, the first a multiple of 4), operands read from
// shared memory by the asynchronous proxy. sm_90a only. Source: PTX ISA 9.0, 9.7.15.
//
// All 128 threads make the same calls, with the same descriptors:
//   wgmma_fence(); wgmma(sums, a, b, ...); ...; wgmma_commit(); wgmma_wait<n>(sums);
// Between the first wgmma and the wait that covers it, sums and register operands may not be
// touched, nor operands in shared memory be overwritten.
#pragma once

#include "kernels/device/fence.h"
#include "kernels/device/fragment.h"
#include "kernels/device/memory.h"
#include "kernels/device/target.h"
#include "kernels/device/wgmma_descriptor.h"

namespace yolocu::device {

// kReplace: sums = product; kAdd: sums += product.
enum class Accumulate : uint8_t { kReplace, kAdd };

inline namespace YOLOCU_TARGET {

// The descriptor of what begins at `start`.
template <typename T>
YOLOCU_DEVICE uint64_t wgmma_operand(SharedPtr<T> start, uint32_t leading_bytes,
                                     uint32_t stride_bytes, Swizzle swizzle);

// sums [64, kN] MatrixSum<T>; starts undefined; kN / 2 registers. kN: multiples of 8 up to 256; for
// int8_t 8, 16, 24, 32 and multiples of 16. Thread t of the warpgroup holds element i < kN / 2 at
//   row 16 * (t / 32) + fragment_sum_row(i), column 8 * (i / 4) + 2 * (t % 4) + i % 2.
// Members: void fill(Sum); Sum get(int i) const; both need wgmma_fence before the next wgmma.
template <typename T, int kN>
class WarpgroupSums;

// Row within the 64 and column within the kN of element i of this thread.
YOLOCU_DEVICE int warpgroup_sum_row(int i) {
  return static_cast<int>(warp_rank() % 4) * 16 + fragment_sum_row(i);
}
YOLOCU_DEVICE int warpgroup_sum_column(int i) {
  return 8 * (i / 4) + static_cast<int>(lane() % 4) * 2 + i % 2;
}

// wgmma.fence.sync.aligned: before the first wgmma, and after every access to sums or a register
// operand before the next one. `sums` ties it to the compiler's order.
template <typename T, int kN>
YOLOCU_DEVICE void wgmma_fence(WarpgroupSums<T, kN>& sums YOLOCU_SITE);

// wgmma.mma_async.sync.aligned.m64n{kN}k{kDepth}: sums = (accumulate ? sums : 0) + a * b with
// a [64, kDepth], b [kN, kDepth], read between this call and the wait that covers it.
template <Major kMajorA = Major::kK, Major kMajorB = Major::kK, typename T, int kN>
YOLOCU_DEVICE void wgmma(WarpgroupSums<T, kN>& sums, uint64_t a, uint64_t b,
                         Accumulate accumulate YOLOCU_SITE);
// The same with a from registers: warp w of the group brings rows 16 * w on.
template <Major kMajorB = Major::kK, typename T, int kN>
YOLOCU_DEVICE void wgmma(WarpgroupSums<T, kN>& sums, const FragmentA<T, 1>& a, uint64_t b,
                         Accumulate accumulate YOLOCU_SITE);

// wgmma.commit_group.sync.aligned.
YOLOCU_DEVICE void wgmma_commit(YOLOCU_SITE_ONLY);
// wgmma.wait_group.sync.aligned kPending: at most the newest kPending groups are under way. It
// counts as an access to sums: wgmma_fence comes before the next wgmma, or ptxas adds one, and the
// build refuses that (cmake/refuse_serialised_wgmma.sh).
template <int kPending, typename T, int kN>
YOLOCU_DEVICE void wgmma_wait(WarpgroupSums<T, kN>& sums YOLOCU_SITE);

// setmaxnreg.{inc,dec}.sync.aligned.u32 kRegisters: registers a thread of this warpgroup may use, a
// multiple of 8 in 24..256. All four warps; the kernel must have launch bounds. sm_90a and later.
template <int kRegisters>
YOLOCU_DEVICE void increase_registers(YOLOCU_SITE_ONLY);
template <int kRegisters>
YOLOCU_DEVICE void decrease_registers(YOLOCU_SITE_ONLY);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/wgmma.cuh"
#else
#include "kernels/device/emulated/wgmma.h"
#endif
