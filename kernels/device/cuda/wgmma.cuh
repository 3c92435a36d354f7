// wgmma.h in CUDA.
#pragma once

#include "kernels/device/cuda/architecture.cuh"
#include "kernels/device/cuda/fragment.cuh"
#include "kernels/device/cuda/wgmma_sums.cuh"

namespace yolocu::device {
inline namespace cuda_target {

template <typename T, int kN>
constexpr bool is_wgmma_shape = kN >= 8 && kN <= 256 &&
                                kN % (std::is_same_v<T, int8_t> && kN > 32 ? 16 : 8) == 0;

template <typename T, int kN>
class WarpgroupSums {
 public:
  static_assert(is_wgmma_shape<T, kN>, "wgmma has no such number of columns");
  using Sum = MatrixSum<T>;
  static constexpr int kCount = kN / 2;

  YOLOCU_DEVICE void fill(Sum value) {
    YOLOCU_UNROLL
    for (int i = 0; i < kCount; ++i) sums[i] = value;
  }

  // Called with constants, once loops are unrolled: registers have no index at run time.
  YOLOCU_DEVICE Sum get(int i) const { return sums[i]; }

  Sum sums[kCount];  // public to the primitives of this folder only
};

// The compiler does not know that sums change between wgmma and wgmma_wait. A use and definition of
// each, which generates nothing, keeps its own accesses on the right side.
template <typename T, int kN>
YOLOCU_DEVICE void pin_sums(WarpgroupSums<T, kN>& sums) {
  YOLOCU_UNROLL
  for (int i = 0; i < sums.kCount; ++i) {
    if constexpr (std::is_same_v<MatrixSum<T>, float>) {
      asm volatile("" : "+f"(sums.sums[i]));
    } else {
      asm volatile("" : "+r"(sums.sums[i]));
    }
  }
}

template <typename T>
YOLOCU_DEVICE uint64_t wgmma_operand(SharedPtr<T> start, uint32_t leading_bytes,
                                     uint32_t stride_bytes, Swizzle swizzle) {
  return wgmma_descriptor(shared_window_address(start.address()), leading_bytes, stride_bytes,
                          swizzle);
}

template <typename T, int kN>
YOLOCU_DEVICE void wgmma_fence(WarpgroupSums<T, kN>& sums) {
  if constexpr (kHasWgmma) {
    pin_sums(sums);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  } else {
    unsupported_instruction();
  }
}

YOLOCU_DEVICE void wgmma_commit() {
  if constexpr (kHasWgmma) {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  } else {
    unsupported_instruction();
  }
}

template <int kPending, typename T, int kN>
YOLOCU_DEVICE void wgmma_wait(WarpgroupSums<T, kN>& sums) {
  if constexpr (kHasWgmma) {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
    pin_sums(sums);
  } else {
    unsupported_instruction();
  }
}

// The instructions of a type of elements for n columns:
//   shared<major of a, of b>(sums, a, b, add)   both operands by descriptor
//   registers<major of b>(sums, a, b, add)      a from registers
// add: 0 to replace the sums, else 1.
template <typename T, int kN>
struct WgmmaInstruction;

// Text and operands of both. instruction_tail(majors...) is what follows the predicate.
#define YOLOCU_WGMMA_SHAPE(n, p0, p1, p2, p3, p4, p5, p6)                                       \
  template <>                                                                                   \
  struct WgmmaInstruction<YOLOCU_WGMMA_TYPE, n> {                                               \
    using Sum = MatrixSum<YOLOCU_WGMMA_TYPE>;                                                   \
    template <Major kMajorA, Major kMajorB>                                                     \
    static YOLOCU_DEVICE void shared(Sum (&sums)[n / 2], uint64_t a, uint64_t b, int add) {     \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " p2                                       \
                   ", 0;\n"                                                                     \
                   "wgmma.mma_async.sync.aligned.m64n" #n YOLOCU_WGMMA_KIND                     \
                   " {" YOLOCU_SUMS_TEXT_##n "}, " p0 ", " p1                                   \
                                             ", p" YOLOCU_WGMMA_MAJORS(", " p3 ", " p4) ";\n}"  \
                   : YOLOCU_SUMS_##n(YOLOCU_WGMMA_SUM)                                          \
                   : "l"(a), "l"(b), "r"(add), "n"(kMajorA == Major::kMN ? 1 : 0),              \
                     "n"(kMajorB == Major::kMN ? 1 : 0)                                         \
                   : "memory");                                                                 \
    }                                                                                           \
    template <Major kMajorB>                                                                    \
    static YOLOCU_DEVICE void registers(Sum (&sums)[n / 2], const uint32_t (&a)[4], uint64_t b, \
                                        int add) {                                              \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " p5                                       \
                   ", 0;\n"                                                                     \
                   "wgmma.mma_async.sync.aligned.m64n" #n YOLOCU_WGMMA_KIND                     \
                   " {" YOLOCU_SUMS_TEXT_##n "}, {" p0 ", " p1 ", " p2 ", " p3 "}, " p4         \
                                             ", p" YOLOCU_WGMMA_MAJORS(", " p6) ";\n}"          \
                   : YOLOCU_SUMS_##n(YOLOCU_WGMMA_SUM)                                          \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add),              \
                     "n"(kMajorB == Major::kMN ? 1 : 0)                                         \
                   : "memory");                                                                 \
    }                                                                                           \
  };
#define YOLOCU_WGMMA_FLOAT_SHAPE YOLOCU_WGMMA_SHAPE

// Signs 1 of a and b follow the predicate for floats, then the majors where there is a choice.
#define YOLOCU_WGMMA_SUM(i) "+f"(sums[i])
#define YOLOCU_WGMMA_MAJORS(majors) ", 1, 1" majors
#define YOLOCU_WGMMA_TYPE Half
#define YOLOCU_WGMMA_KIND "k16.f32.f16.f16"
#include "kernels/device/cuda/wgmma_shapes.inc"
#undef YOLOCU_WGMMA_TYPE
#undef YOLOCU_WGMMA_KIND
#define YOLOCU_WGMMA_TYPE Bfloat16
#define YOLOCU_WGMMA_KIND "k16.f32.bf16.bf16"
#include "kernels/device/cuda/wgmma_shapes.inc"
#undef YOLOCU_WGMMA_TYPE
#undef YOLOCU_WGMMA_KIND
#undef YOLOCU_WGMMA_MAJORS
#define YOLOCU_WGMMA_MAJORS(majors) ", 1, 1"
#define YOLOCU_WGMMA_TYPE E4m3
#define YOLOCU_WGMMA_KIND "k32.f32.e4m3.e4m3"
#include "kernels/device/cuda/wgmma_shapes.inc"
#undef YOLOCU_WGMMA_TYPE
#undef YOLOCU_WGMMA_KIND
#undef YOLOCU_WGMMA_MAJORS
#undef YOLOCU_WGMMA_SUM
#undef YOLOCU_WGMMA_FLOAT_SHAPE
#define YOLOCU_WGMMA_FLOAT_SHAPE(...)
#define YOLOCU_WGMMA_SUM(i) "+r"(sums[i])
#define YOLOCU_WGMMA_MAJORS(majors)
#define YOLOCU_WGMMA_TYPE int8_t
#define YOLOCU_WGMMA_KIND "k32.s32.s8.s8"
#include "kernels/device/cuda/wgmma_shapes.inc"
#undef YOLOCU_WGMMA_TYPE
#undef YOLOCU_WGMMA_KIND
#undef YOLOCU_WGMMA_MAJORS
#undef YOLOCU_WGMMA_SUM
#undef YOLOCU_WGMMA_FLOAT_SHAPE
#undef YOLOCU_WGMMA_SHAPE

template <typename T, Major kMajor>
constexpr bool is_wgmma_major = kMajor == Major::kK || MatrixType<T>::kDepth == 16;

template <Major kMajorA, Major kMajorB, typename T, int kN>
YOLOCU_DEVICE void wgmma(WarpgroupSums<T, kN>& sums, uint64_t a, uint64_t b,
                         Accumulate accumulate) {
  static_assert(is_wgmma_major<T, kMajorA> && is_wgmma_major<T, kMajorB>,
                "operands of 8 bits have k contiguous");
  if constexpr (kHasWgmma) {
    WgmmaInstruction<T, kN>::template shared<kMajorA, kMajorB>(
        sums.sums, a, b, accumulate == Accumulate::kAdd ? 1 : 0);
  } else {
    unsupported_instruction();
  }
}

template <Major kMajorB, typename T, int kN>
YOLOCU_DEVICE void wgmma(WarpgroupSums<T, kN>& sums, const FragmentA<T, 1>& a, uint64_t b,
                         Accumulate accumulate) {
  static_assert(is_wgmma_major<T, kMajorB>, "operands of 8 bits have k contiguous");
  if constexpr (kHasWgmma) {
    WgmmaInstruction<T, kN>::template registers<kMajorB>(sums.sums, a.words[0], b,
                                                         accumulate == Accumulate::kAdd ? 1 : 0);
  } else {
    unsupported_instruction();
  }
}

template <int kRegisters>
constexpr bool is_register_count = kRegisters >= 24 && kRegisters <= 256 && kRegisters % 8 == 0;

template <int kRegisters>
YOLOCU_DEVICE void increase_registers() {
  static_assert(is_register_count<kRegisters>, "setmaxnreg takes multiples of 8 in 24..256");
  if constexpr (kHasRegisterChange) {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
  } else {
    unsupported_instruction();
  }
}

template <int kRegisters>
YOLOCU_DEVICE void decrease_registers() {
  static_assert(is_register_count<kRegisters>, "setmaxnreg takes multiples of 8 in 24..256");
  if constexpr (kHasRegisterChange) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
  } else {
    unsupported_instruction();
  }
}

}  // namespace cuda_target
}  // namespace yolocu::device
