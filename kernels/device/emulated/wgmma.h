// wgmma.h on the host. A warp holds its 16 rows of the sums.
#pragma once

#include "kernels/emulation/thread.h"

namespace yolocu::device {
inline namespace emulated_target {

template <typename T>
uint64_t wgmma_operand(SharedPtr<T> start, uint32_t leading_bytes, uint32_t stride_bytes,
                       Swizzle swizzle) {
  return wgmma_descriptor(start.address(), leading_bytes, stride_bytes, swizzle);
}

template <typename T, int kN>
constexpr bool is_wgmma_width = kN % 8 == 0 && kN >= 8 && kN <= 256 &&
                                (!std::is_same_v<T, int8_t> || kN == 8 || kN == 24 || kN % 16 == 0);

template <typename T, int kN>
class WarpgroupSums {
 public:
  using Sum = MatrixSum<T>;
  static_assert(is_wgmma_width<T, kN>, "wgmma has no instruction of this width");

  explicit WarpgroupSums(CallSite site = CallSite::current()) : words_(site) {}

  void fill(Sum value, CallSite site = CallSite::current()) {
    emulation::post_warp_op({.code = emulation::WarpOpCode::kFill,
                             .d = first(),
                             .a = kFragmentTile * kN,
                             .bits = std::bit_cast<uint32_t>(value),
                             .site = site},
                            0);
  }

  Sum get(int i, CallSite site = CallSite::current()) const {
    const auto row = static_cast<uint32_t>(fragment_sum_row(i));
    const auto column = static_cast<uint32_t>(warpgroup_sum_column(i));
    return std::bit_cast<Sum>(emulation::read_matrix_register(first(), row * kN + column, site));
  }

  uint32_t first() const { return words_.first(); }

 private:
  MatrixWords<kFragmentTile * kN> words_;
};

template <typename T, int kN>
void wgmma_fence(WarpgroupSums<T, kN>&, CallSite site) {
  emulation::post_warp_op({.code = emulation::WarpOpCode::kWgmmaFence, .site = site}, 0);
}

template <typename T, int kN>
emulation::WarpgroupOp wgmma_op(const WarpgroupSums<T, kN>& sums, uint64_t b, Major major_b,
                                Accumulate accumulate, CallSite site) {
  return {{.code = emulation::WarpOpCode::kWgmma,
           .element = matrix_element<T>(),
           .d = sums.first(),
           .site = site},
          {.b = b,
           .columns = kN,
           .major_b = static_cast<uint8_t>(major_b),
           .replace = accumulate == Accumulate::kReplace}};
}

template <Major kMajorA, Major kMajorB, typename T, int kN>
void wgmma(WarpgroupSums<T, kN>& sums, uint64_t a, uint64_t b, Accumulate accumulate,
           CallSite site) {
  static_assert(sizeof(T) == 2 || (kMajorA == Major::kK && kMajorB == Major::kK),
                "8-bit operands are k-major");
  emulation::WarpgroupOp op = wgmma_op(sums, b, kMajorB, accumulate, site);
  op.wgmma.a = a;
  op.wgmma.major_a = static_cast<uint8_t>(kMajorA);
  emulation::post_warp_op(op, 0, &op.wgmma);
}

template <Major kMajorB, typename T, int kN>
void wgmma(WarpgroupSums<T, kN>& sums, const FragmentA<T, 1>& a, uint64_t b, Accumulate accumulate,
           CallSite site) {
  static_assert(sizeof(T) == 2 || kMajorB == Major::kK, "8-bit operands are k-major");
  emulation::WarpgroupOp op = wgmma_op(sums, b, kMajorB, accumulate, site);
  op.a = a.first();
  op.wgmma.a_in_registers = true;
  emulation::post_warp_op(op, 0, &op.wgmma);
}

inline void wgmma_commit(CallSite site) {
  emulation::post_warp_op({.code = emulation::WarpOpCode::kWgmmaCommit, .site = site}, 0);
}

template <int kPending, typename T, int kN>
void wgmma_wait(WarpgroupSums<T, kN>&, CallSite site) {
  static_assert(kPending >= 0 && kPending <= 7, "wait_group takes 0..7");
  emulation::post_warp_op(
      {.code = emulation::WarpOpCode::kWgmmaWait, .bits = kPending, .site = site}, 0);
}

template <int kRegisters>
void increase_registers(CallSite site) {
  emulation::post_warp_op(
      {.code = emulation::WarpOpCode::kSetRegisters, .d = 1, .bits = kRegisters, .site = site}, 0);
}

template <int kRegisters>
void decrease_registers(CallSite site) {
  emulation::post_warp_op(
      {.code = emulation::WarpOpCode::kSetRegisters, .d = 0, .bits = kRegisters, .site = site}, 0);
}

}  // namespace emulated_target
}  // namespace yolocu::device
