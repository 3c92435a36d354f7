// Errors around mbarrier.
#pragma once

#include "kernels/device/mbarrier.h"
#include "tests/kernels/emulation/planted/registry.h"

namespace yolocu::testing {

// Objects at the start of shared memory, words from 64 on.
inline device::MBarrier mbarrier_number(int i) {
  return device::shared_memory<uint64_t>(8 * i);
}
inline device::SharedPtr<int> words_behind_mbarriers() {
  return device::shared_memory<int>(64);
}

// One thread initialises `count` objects; all know them after.
inline void make_mbarriers(int count, int arrivals) {
  if (device::thread_rank() == 0) {
    for (int i = 0; i < count; ++i) device::mbarrier_init(mbarrier_number(i), arrivals);
    device::fence_mbarrier_init();
  }
  device::sync_block();
}

// ---- one thread ---------------------------------------------------------------------------------

enum class OneBarrier {
  kNoArrivals,
  kTooManyArrivals,
  kTooManyBytes,
  kMisaligned,
  kOutOfBounds,
  kInitTwice,
  kStoreOver,
  kLoadOver,
  kUnobservedPhase,
  kMoreThanCounted,
  kNoSuchParity,
  kNeverInitialised,
  kUsedAfterInvalidate
};

template <Version kVersion, OneBarrier kError>
YOLOCU_KERNEL one_mbarrier(Out out, In) {
  const auto is = [](OneBarrier error) { return kVersion == Version::kWrong && kError == error; };
  if (device::thread_rank() > 0) return;
  const auto barrier = device::shared_memory<uint64_t>(is(OneBarrier::kMisaligned)    ? 12
                                                       : is(OneBarrier::kOutOfBounds) ? 1024
                                                                                      : 16);
  const bool has_bytes = kError == OneBarrier::kTooManyBytes;
  const bool has_many = kError == OneBarrier::kTooManyArrivals;
  const int count = has_many || has_bytes ? (1 << 20) - 1 : 1;
  if (is(OneBarrier::kNeverInitialised)) return device::mbarrier_arrive(barrier);
  device::mbarrier_init(barrier, is(OneBarrier::kNoArrivals)        ? 0
                                 : is(OneBarrier::kTooManyArrivals) ? count + 1
                                                                    : count);
  if (has_bytes) device::mbarrier_expect(barrier, 1 << 19);
  if (has_bytes) {
    device::mbarrier_arrive_expect(barrier, (1 << 19) - (is(OneBarrier::kTooManyBytes) ? 0 : 1));
    return;
  }
  if (has_many) return;
  if (is(OneBarrier::kMoreThanCounted)) device::mbarrier_arrive_expect(barrier, 16);
  device::mbarrier_arrive(barrier);
  if (!is(OneBarrier::kUnobservedPhase)) {
    device::mbarrier_wait(barrier, is(OneBarrier::kNoSuchParity) ? 2 : 0);
  }
  device::mbarrier_arrive(barrier);
  if (is(OneBarrier::kLoadOver)) out.store(0, device::shared_memory<int>(20).load(0));
  if (is(OneBarrier::kStoreOver)) device::shared_memory<int>(16).store(0, 1);
  if (!is(OneBarrier::kInitTwice)) device::mbarrier_invalidate(barrier);
  if (is(OneBarrier::kUsedAfterInvalidate)) device::mbarrier_arrive(barrier);
  device::mbarrier_init(barrier, 1);
}

// ---- the block ----------------------------------------------------------------------------------

enum class BlockBarrier {
  kNoInitBarrier,
  kCountShort,
  kCountLong,
  kNoWait,
  kStoreAfterArrive,
  kInvalidatedEarly
};

// Every thread hands a word to the opposite one.
template <Version kVersion, BlockBarrier kError>
YOLOCU_KERNEL exchange_by_mbarrier(Out out, In in) {
  const auto is = [](BlockBarrier error) { return kVersion == Version::kWrong && kError == error; };
  const auto words = words_behind_mbarriers();
  const auto barrier = mbarrier_number(0);
  const int rank = rank_of_thread();
  const int count = is(BlockBarrier::kCountShort) ? 127 : is(BlockBarrier::kCountLong) ? 129 : 128;
  if (is(BlockBarrier::kNoInitBarrier)) {
    if (rank == 0) device::mbarrier_init(barrier, count);
  } else {
    make_mbarriers(1, count);
  }
  if (!is(BlockBarrier::kStoreAfterArrive)) words.store(rank, in.load(rank));
  device::mbarrier_arrive(barrier);
  if (is(BlockBarrier::kStoreAfterArrive)) words.store(rank, in.load(rank));
  if (!is(BlockBarrier::kNoWait)) device::mbarrier_wait(barrier, 0);
  out.store(rank, words.load(127 - rank));
  if (!is(BlockBarrier::kInvalidatedEarly)) device::sync_block();
  if (rank == 0) device::mbarrier_invalidate(barrier);
}

enum class RingError { kConsumerParity, kProducerParity, kNoProducerWait, kNoEmptyArrival };

// Threads 0..63 hand four rounds of a word each to 64..127, through one stage.
template <Version kVersion, RingError kError>
YOLOCU_KERNEL ring_by_mbarrier(Out out, In in) {
  const auto is = [](RingError error) { return kVersion == Version::kWrong && kError == error; };
  const auto words = words_behind_mbarriers();
  const auto full = mbarrier_number(0), empty = mbarrier_number(1);
  const int rank = rank_of_thread();
  make_mbarriers(2, 64);
  int sum = 0;
  for (uint32_t round = 0; round < 4; ++round) {
    if (rank < 64) {
      if (!is(RingError::kNoProducerWait)) {
        device::mbarrier_wait(empty, is(RingError::kProducerParity) ? 1 : round % 2 ^ 1);
      }
      words.store(rank, in.load(rank));
      device::mbarrier_arrive(full);
    } else {
      device::mbarrier_wait(full, is(RingError::kConsumerParity) ? 0 : round % 2);
      sum += words.load(rank - 64);
      if (!is(RingError::kNoEmptyArrival)) device::mbarrier_arrive(empty);
    }
  }
  out.store(rank, sum);
}

inline std::vector<PlantedBug> mbarrier_bugs() {
  return {
      PLANTED_CASE(one_mbarrier, OneBarrier::kNoArrivals, "expected 1..1048575 arrivals, got 0"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kTooManyArrivals,
                   "expected 1..1048575 arrivals, got 1048576"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kTooManyBytes, "outstanding bytes, got 1048576"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kMisaligned, "aligned to 8 bytes, got 12"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kOutOfBounds, "mbarrier at offset 1024 of 1024"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kInitTwice, "initialised over a live one"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kStoreOver, "shared access to a live mbarrier"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kLoadOver, "shared access to a live mbarrier"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kUnobservedPhase, "no wait saw phase 0 completed"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kMoreThanCounted, "more than 1 arrivals"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kNoSuchParity, "expected parity 0 or 1, got 2"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kNeverInitialised, "no mbarrier was initialised"),
      PLANTED_CASE(one_mbarrier, OneBarrier::kUsedAfterInvalidate, "no mbarrier was initialised"),
      PLANTED_CASE(exchange_by_mbarrier, BlockBarrier::kNoInitBarrier,
                   "no mbarrier was initialised", "race: mbarrier initialised"),
      PLANTED_CASE(exchange_by_mbarrier, BlockBarrier::kCountShort,
                   "race: ", "uninitialised shared", "no wait saw phase 0"),
      PLANTED_CASE(exchange_by_mbarrier, BlockBarrier::kCountLong,
                   "wait at the mbarrier at offset 0 (phase 0, 1 arrivals and 0 bytes missing)"),
      PLANTED_CASE(exchange_by_mbarrier, BlockBarrier::kNoWait, "race: ", "uninitialised shared"),
      PLANTED_CASE(exchange_by_mbarrier, BlockBarrier::kStoreAfterArrive,
                   "race: ", "uninitialised shared"),
      PLANTED_CASE(exchange_by_mbarrier, BlockBarrier::kInvalidatedEarly,
                   "race: ", "no mbarrier was initialised", "while threads wait"),
      PLANTED_CASE(ring_by_mbarrier, RingError::kConsumerParity, "race: ", "no wait saw phase",
                   "uninitialised shared", "wait at the mbarrier"),
      PLANTED_CASE(ring_by_mbarrier, RingError::kProducerParity, "race: ", "no wait saw phase",
                   "uninitialised shared", "wait at the mbarrier"),
      PLANTED_CASE(ring_by_mbarrier, RingError::kNoProducerWait, "race: ", "no wait saw phase",
                   "uninitialised shared", "wait at the mbarrier"),
      PLANTED_CASE(ring_by_mbarrier, RingError::kNoEmptyArrival,
                   "wait at the mbarrier at offset 8 (phase 0, 64 arrivals"),
  };
}

}  // namespace yolocu::testing
