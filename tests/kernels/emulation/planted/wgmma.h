// Errors around wgmma and setmaxnreg: one warpgroup, unless said.
#pragma once

#include "kernels/device/async.h"
#include "kernels/device/wgmma.h"
#include "tests/kernels/emulation/planted/mbarrier.h"

namespace yolocu::testing {

using device::Accumulate;
using Sums8 = device::WarpgroupSums<device::Half, 8>;

// a [64, 16] at 1024 and b [8, 16] at 4096, without swizzle: 128 bytes to the other half of k, 256
// to the next 8 rows.
constexpr uint32_t kOperandA = 1024, kOperandB = 4096, kOperandsEnd = kOperandB + 256;
constexpr uint64_t kDescriptorA = device::wgmma_descriptor(kOperandA, 128, 256, Swizzle::kNone);
constexpr uint64_t kDescriptorB = device::wgmma_descriptor(kOperandB, 128, 256, Swizzle::kNone);

inline void store_zeros(uint32_t first, uint32_t end) {
  const auto bytes = device::shared_memory<uint8_t>();
  for (uint32_t at = first + 16 * device::thread_rank(); at < end; at += 16 * 128) {
    bytes.store<device::Words4>(at, device::Words4{});
  }
}

inline void store_operands() {
  store_zeros(kOperandA, kOperandA + 2048);
  store_zeros(kOperandB, kOperandsEnd);
  device::fence_async_proxy();
  device::sync_block();
}

enum class Operands {
  kNoFence,
  kFenceBefore,
  kFenceByReaders,
  kNoBarrier,
  kUninitialised,
  kOutOfBounds,
  kOffPattern,
  kBaseOffset,
  kUnusedBits,
  kWarpsDiffer,
  kThreeWarps,
  kCopiesNotFenced,
  kOverwritten
};

template <Version kVersion, Operands kError>
YOLOCU_KERNEL multiply_operands(Out out, In in) {
  const auto is = [](Operands error) { return kVersion == Version::kWrong && kError == error; };
  const int rank = rank_of_thread();
  if (is(Operands::kFenceBefore)) device::fence_async_proxy();
  if (kError == Operands::kCopiesNotFenced) {
    device::copy_async<16>(device::shared_memory<int>(kOperandA), rank * 4, in, 0, 0);
    if (is(Operands::kCopiesNotFenced)) device::fence_async_proxy();  // too early
    device::wait_all_copies();
  } else {
    store_zeros(kOperandA, kOperandA + 2048);
  }
  store_zeros(kOperandB, is(Operands::kUninitialised) ? kOperandsEnd - 16 : kOperandsEnd);
  const bool fences = kVersion == Version::kRight || kError == Operands::kNoBarrier ||
                      kError >= Operands::kUninitialised;
  if (fences && !is(Operands::kCopiesNotFenced)) device::fence_async_proxy();
  if (!is(Operands::kNoBarrier)) device::sync_block();
  if (is(Operands::kFenceByReaders)) device::fence_async_proxy();
  if (is(Operands::kThreeWarps) && device::warp_rank() == 3) return;
  uint64_t a = kDescriptorA, b = kDescriptorB;
  if (is(Operands::kOutOfBounds)) b += (16384 - kOperandB) >> 4;
  if (is(Operands::kOffPattern)) {
    a = device::wgmma_descriptor(kOperandA + 128, 16, 1024, Swizzle::k128B);
  }
  if (is(Operands::kBaseOffset)) a |= uint64_t{1} << 49;
  if (is(Operands::kUnusedBits)) a |= uint64_t{1} << 53;
  if (is(Operands::kWarpsDiffer) && device::warp_rank() == 2) a += 2;
  Sums8 sums;
  device::wgmma_fence(sums);
  device::wgmma(sums, a, b, Accumulate::kReplace);
  device::wgmma_commit();
  if (is(Operands::kOverwritten)) store_zeros(kOperandA, kOperandA + 2048);
  device::wgmma_wait<0>(sums);
  out.store(rank, static_cast<int>(sums.get(0)));
  if (kError == Operands::kOverwritten) {
    device::sync_block();
    store_zeros(kOperandA, kOperandA + 2048);
  }
}

enum class Sums {
  kNoFence,
  kNoFenceAfterGet,
  kNoFenceAfterFill,
  kReadInFlight,
  kFilledInFlight,
  kNoCommit,
  kPendingTooMany,
  kNeverWaited
};

// Two groups on the same sums, with an access between.
template <Version kVersion, Sums kError>
YOLOCU_KERNEL multiply_twice(Out out, In) {
  const auto is = [](Sums error) { return kVersion == Version::kWrong && kError == error; };
  store_operands();
  Sums8 sums;
  if (!is(Sums::kNoFence)) device::wgmma_fence(sums);
  device::wgmma(sums, kDescriptorA, kDescriptorB, Accumulate::kReplace);
  device::wgmma_commit();
  device::wgmma_wait<0>(sums);
  int sum = static_cast<int>(sums.get(0));
  if (!is(Sums::kNoFenceAfterGet)) device::wgmma_fence(sums);
  if (kError == Sums::kNoFenceAfterFill) {
    sums.fill(1);
    if (!is(Sums::kNoFenceAfterFill)) device::wgmma_fence(sums);
  }
  device::wgmma(sums, kDescriptorA, kDescriptorB, Accumulate::kAdd);
  if (is(Sums::kReadInFlight)) sum += static_cast<int>(sums.get(1));
  if (is(Sums::kFilledInFlight)) sums.fill(0);
  if (!is(Sums::kNoCommit)) device::wgmma_commit();
  if (is(Sums::kNeverWaited)) return;
  if (is(Sums::kPendingTooMany)) {
    device::wgmma_wait<1>(sums);
  } else {
    device::wgmma_wait<0>(sums);
  }
  out.store(rank_of_thread(), sum + static_cast<int>(sums.get(2)));
}

enum class RegisterOperand { kNoFence, kChangedInFlight };

template <Version kVersion, RegisterOperand kError>
YOLOCU_KERNEL multiply_register_operand(Out out, In) {
  using Error = RegisterOperand;
  const auto is = [](Error error) { return kVersion == Version::kWrong && kError == error; };
  store_operands();
  const auto row = device::shared_memory<device::Half>(kOperandA + 16 * device::lane());
  device::FragmentA<device::Half, 1> a;
  Sums8 sums;
  device::wgmma_fence(sums);
  device::load_fragment(a, row);
  if (!is(Error::kNoFence)) device::wgmma_fence(sums);
  device::wgmma(sums, a, kDescriptorB, Accumulate::kReplace);
  device::wgmma_commit();
  if (is(Error::kChangedInFlight)) device::load_fragment(a, row + 512);
  device::wgmma_wait<0>(sums);
  device::load_fragment(a, row + 512);
  out.store(rank_of_thread(), static_cast<int>(sums.get(0)));
}

inline std::vector<PlantedBug> wgmma_bugs() {
  return launched_as(
      {.block = {128}, .shared_bytes = 16384},
      {
          PLANTED_CASE(multiply_operands, Operands::kNoFence, "no fence_async_proxy"),
          PLANTED_CASE(multiply_operands, Operands::kFenceBefore, "no fence_async_proxy"),
          PLANTED_CASE(multiply_operands, Operands::kFenceByReaders, "no fence_async_proxy"),
          PLANTED_CASE(multiply_operands, Operands::kNoBarrier, "race: ", "uninitialised shared",
                       "no fence_async_proxy"),
          PLANTED_CASE(multiply_operands, Operands::kUninitialised,
                       "uninitialised shared memory is read"),
          PLANTED_CASE(multiply_operands, Operands::kOutOfBounds, "shared memory out of bounds"),
          PLANTED_CASE(multiply_operands, Operands::kOffPattern, "start must lie in the first 128"),
          PLANTED_CASE(multiply_operands, Operands::kBaseOffset, "base_offset must be 0, got 1"),
          PLANTED_CASE(multiply_operands, Operands::kUnusedBits, "unused bits of a descriptor"),
          PLANTED_CASE(multiply_operands, Operands::kWarpsDiffer,
                       "the warps of a warpgroup disagree"),
          PLANTED_CASE(multiply_operands, Operands::kThreeWarps,
                       "warps of a warpgroup execute this, and another one exits"),
          PLANTED_CASE(multiply_operands, Operands::kCopiesNotFenced, "no fence_async_proxy"),
          PLANTED_CASE(multiply_operands, Operands::kOverwritten, "race: "),
          PLANTED_CASE(multiply_twice, Sums::kNoFence, "accessed since the last wgmma_fence"),
          PLANTED_CASE(multiply_twice, Sums::kNoFenceAfterGet,
                       "accessed since the last wgmma_fence"),
          PLANTED_CASE(multiply_twice, Sums::kNoFenceAfterFill,
                       "accessed since the last wgmma_fence"),
          PLANTED_CASE(multiply_twice, Sums::kReadInFlight, "wgmma that is still under way"),
          PLANTED_CASE(multiply_twice, Sums::kFilledInFlight, "wgmma that is still under way"),
          PLANTED_CASE(multiply_twice, Sums::kNoCommit, "wgmma that is still under way"),
          PLANTED_CASE(multiply_twice, Sums::kPendingTooMany, "wgmma that is still under way"),
          PLANTED_CASE(multiply_twice, Sums::kNeverWaited, "wgmma that it never waited for"),
          PLANTED_CASE(multiply_register_operand, RegisterOperand::kNoFence,
                       "accessed since the last wgmma_fence"),
          PLANTED_CASE(multiply_register_operand, RegisterOperand::kChangedInFlight,
                       "wgmma that is still under way"),
      });
}

}  // namespace yolocu::testing
