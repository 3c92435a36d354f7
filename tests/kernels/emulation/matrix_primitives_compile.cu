// The matrix primitives, for every type and shape, through nvcc; as primitives_compile.cu. For
// architectures without an instruction the kernel must compile too, and trap.
#include "kernels/device/fragment.h"
#include "kernels/device/warp.h"
#include "kernels/device/wgmma.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

using device::Accumulate;
using device::GlobalPtr;
using device::Major;
using device::MatrixSum;
using device::Transpose;

template <int kCount, Transpose kTranspose>
YOLOCU_KERNEL move_matrices() {
  const auto rows = device::shared_memory<device::Half>() + device::lane() * 8;
  uint32_t words[kCount];
  device::load_matrix<kCount, kTranspose>(words, rows);
  device::sync_warp();
  device::store_matrix<kCount, kTranspose>(rows, words);
}
template YOLOCU_KERNEL move_matrices<1, Transpose::kNo>();
template YOLOCU_KERNEL move_matrices<2, Transpose::kNo>();
template YOLOCU_KERNEL move_matrices<4, Transpose::kNo>();
template YOLOCU_KERNEL move_matrices<1, Transpose::kYes>();
template YOLOCU_KERNEL move_matrices<2, Transpose::kYes>();
template YOLOCU_KERNEL move_matrices<4, Transpose::kYes>();

// c [16, 16] += a [16, kDepth] * b [16, kDepth], from rows of shared memory that are dense.
template <typename T>
YOLOCU_KERNEL multiply_fragments(GlobalPtr<MatrixSum<T>> out) {
  constexpr int64_t kDepth = device::MatrixType<T>::kDepth;
  const auto row = [](device::FragmentRow at) {
    return device::shared_memory<T>(at.row * 32 + at.byte);
  };
  device::FragmentA<T, 2> a;
  device::FragmentB<T, 2> b;
  device::FragmentSums<T, 2, 2> c;
  device::load_fragment(a, row(device::fragment_a_row(device::lane())), 16 * kDepth);
  device::load_fragment(b, row(device::fragment_b_row(device::lane())), 16 * kDepth);
  c.fill(0);
  device::multiply_add(c, a, b);
  YOLOCU_UNROLL
  for (int i = 0; i < 32; ++i) {
    const int row_of_sum = i / 16 * 16 + device::fragment_sum_row(i % 8);
    const int column = i / 8 % 2 * 16 + device::fragment_sum_column(i % 8);
    out.store(row_of_sum * 32 + column, c.get(i / 16, i / 8 % 2, i % 8));
  }
}
template YOLOCU_KERNEL multiply_fragments<device::Half>(GlobalPtr<float>);
template YOLOCU_KERNEL multiply_fragments<device::Bfloat16>(GlobalPtr<float>);
template YOLOCU_KERNEL multiply_fragments<device::E4m3>(GlobalPtr<float>);
template YOLOCU_KERNEL multiply_fragments<int8_t>(GlobalPtr<int32_t>);

// Sums of all ways to bring the operands.
template <typename T, int kN>
YOLOCU_KERNEL __launch_bounds__(128, 1) multiply_warpgroup(GlobalPtr<MatrixSum<T>> out) {
  const auto rows = device::shared_memory<T>();
  const uint64_t a = device::wgmma_operand(rows, 16, 1024, Swizzle::k128B);
  const uint64_t b = device::wgmma_operand(rows + 8192, 128, 256, Swizzle::kNone);
  device::FragmentA<T, 1> fragment;
  device::load_fragment(fragment, rows + device::lane() * 16);
  device::fence_async_proxy();
  device::sync_block();
  device::WarpgroupSums<T, kN> sums;
  device::wgmma_fence(sums);
  device::wgmma(sums, a, b, Accumulate::kReplace);
  if constexpr (device::MatrixType<T>::kDepth == 16) {
    device::wgmma<Major::kMN, Major::kK>(sums, a, b, Accumulate::kAdd);
    device::wgmma<Major::kK, Major::kMN>(sums, a, b, Accumulate::kAdd);
    device::wgmma<Major::kMN, Major::kMN>(sums, a, b, Accumulate::kAdd);
    device::wgmma<Major::kMN>(sums, fragment, b, Accumulate::kAdd);
  }
  device::wgmma(sums, fragment, b, Accumulate::kAdd);
  device::wgmma_commit();
  device::wgmma_wait<0>(sums);
  YOLOCU_UNROLL
  for (int i = 0; i < kN / 2; ++i) out.store(i * 128 + device::thread_rank(), sums.get(i));
}

#define YOLOCU_WGMMA_FLOAT_SHAPE(n, ...)                         \
  template YOLOCU_KERNEL __launch_bounds__(128, 1)               \
      multiply_warpgroup<device::Half, n>(GlobalPtr<float>);     \
  template YOLOCU_KERNEL __launch_bounds__(128, 1)               \
      multiply_warpgroup<device::Bfloat16, n>(GlobalPtr<float>); \
  template YOLOCU_KERNEL __launch_bounds__(128, 1)               \
      multiply_warpgroup<device::E4m3, n>(GlobalPtr<float>);
#define YOLOCU_WGMMA_SHAPE(n, ...)                 \
  YOLOCU_WGMMA_FLOAT_SHAPE(n)                      \
  template YOLOCU_KERNEL __launch_bounds__(128, 1) \
      multiply_warpgroup<int8_t, n>(GlobalPtr<int32_t>);
#include "kernels/device/cuda/wgmma_shapes.inc"

YOLOCU_KERNEL fill_warpgroup(GlobalPtr<float> out) {
  device::WarpgroupSums<device::Half, 16> sums;
  sums.fill(1.0f);
  YOLOCU_UNROLL
  for (int i = 0; i < 8; ++i) {
    out.store(device::warpgroup_sum_row(i) * 16 + device::warpgroup_sum_column(i), sums.get(i));
  }
}

template <int kRegisters>
YOLOCU_KERNEL __launch_bounds__(256, 1) change_registers() {
  device::decrease_registers<kRegisters>();
  device::increase_registers<256 - kRegisters>();
}
template YOLOCU_KERNEL change_registers<24>();

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
