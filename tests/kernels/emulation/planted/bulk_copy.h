// Errors around TMA loads and stores within a block.
#pragma once

#include "kernels/device/async.h"
#include "kernels/device/fence.h"
#include "kernels/device/numeric.h"
#include "tests/kernels/emulation/planted/mbarrier.h"

namespace yolocu::testing {

constexpr uint32_t kWordsBytes = 512;  // of the maps words and result
constexpr LaunchConfig kBulkLaunch = {.block = {128}, .shared_bytes = 16384};

enum class Load {
  kNoWait,
  kNeverWaited,
  kOneThreadWaits,
  kWrongParity,
  kTooFewBytes,
  kTooManyBytes,
  kNotExpected,
  kNoInitFence,
  kNoInitBarrier,
  kNoObject,
  kMisaligned,
  kOutOfBounds,
  kOverObject,
  kWrongRank,
  kWrongMode,
  kHalfChunk,
  kTwoAtOnce,
  kInvalidatedEarly
};

// words to shared memory; every thread reads one.
template <Version kVersion, Load kError>
YOLOCU_KERNEL load_words(Out out, In, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto is = [](Load error) { return kVersion == Version::kWrong && kError == error; };
  const auto barrier = mbarrier_number(0);
  const auto dst = device::shared_memory<int>(is(Load::kMisaligned)    ? 1088
                                              : is(Load::kOutOfBounds) ? 16000
                                              : is(Load::kOverObject)  ? 0
                                                                       : 1024);
  const int rank = rank_of_thread();
  if (rank == 0) {
    if (!is(Load::kNoObject)) device::mbarrier_init(barrier, 1);
    if (!is(Load::kNoInitFence)) device::fence_mbarrier_init();
  }
  if (!is(Load::kNoInitBarrier)) device::sync_block();
  if (rank == 32) {
    const uint32_t bytes = is(Load::kTooFewBytes)    ? kWordsBytes - 16
                           : is(Load::kTooManyBytes) ? kWordsBytes + 16
                           : is(Load::kTwoAtOnce)    ? 2 * kWordsBytes
                                                     : kWordsBytes;
    if (is(Load::kNotExpected)) {
      device::mbarrier_arrive(barrier);
    } else if (!is(Load::kNoObject)) {
      device::mbarrier_arrive_expect(barrier, bytes);
    }
    const int32_t column = is(Load::kHalfChunk) ? 2 : 0;
    if (is(Load::kWrongRank)) {
      device::load_box<3>(dst, maps.words, barrier, {{0, 0, 0}});
    } else if (is(Load::kWrongMode)) {
      device::load_box<4>(dst, maps.pixels, barrier, {{0, 0, 0, 0}});
    } else {
      device::load_box<2>(dst, maps.words, barrier, {{column, 0}});
    }
    if (is(Load::kTwoAtOnce)) device::load_box<2>(dst, maps.words, barrier, {{0, 0}});
  }
  if (is(Load::kNeverWaited)) return;
  if (is(Load::kInvalidatedEarly)) {
    if (rank == 32) device::mbarrier_invalidate(barrier);
    return;
  }
  const bool waits = is(Load::kOneThreadWaits) ? rank == 0 : !is(Load::kNoWait);
  if (waits) device::mbarrier_wait(barrier, is(Load::kWrongParity) ? 1 : 0);
  out.store(rank, dst.load(rank));
}

enum class Overwrite { kNoFence, kFenceBefore, kFenceByIssuer, kNoBarrier, kCopiesNotFenced };

// What threads wrote is overwritten by a load.
template <Version kVersion, Overwrite kError>
YOLOCU_KERNEL overwrite_by_load(Out out, In in, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto is = [](Overwrite error) { return kVersion == Version::kWrong && kError == error; };
  const auto words = device::shared_memory<int>(1024);
  const int rank = rank_of_thread();
  make_mbarriers(1, 1);
  if (is(Overwrite::kFenceBefore)) device::fence_async_proxy();
  if (kError == Overwrite::kCopiesNotFenced) {
    device::copy_async<4>(words, rank, in, rank);
    if (is(Overwrite::kCopiesNotFenced)) device::fence_async_proxy();  // too early
    device::wait_all_copies();
  } else {
    words.store(rank, -1);
  }
  if (kVersion == Version::kRight || kError == Overwrite::kNoBarrier) device::fence_async_proxy();
  if (!is(Overwrite::kNoBarrier)) device::sync_block();
  if (rank == 0) {
    if (is(Overwrite::kFenceByIssuer)) device::fence_async_proxy();
    device::mbarrier_arrive_expect(mbarrier_number(0), kWordsBytes);
    device::load_box<2>(words, maps.words, mbarrier_number(0), {{0, 0}});
  }
  device::mbarrier_wait(mbarrier_number(0), 0);
  out.store(rank, words.load(rank));
}

enum class Reuse { kNoProducerWait, kArriveBeforeRead };

// Two rounds through one buffer. Readers arrive at `empty`; no proxy fence is needed after reads.
template <Version kVersion, Reuse kError>
YOLOCU_KERNEL reuse_by_load(Out out, In, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto is = [](Reuse error) { return kVersion == Version::kWrong && kError == error; };
  const auto words = device::shared_memory<int>(1024);
  const auto full = mbarrier_number(0), empty = mbarrier_number(1);
  const int rank = rank_of_thread();
  if (rank == 0) {
    device::mbarrier_init(full, 1);
    device::mbarrier_init(empty, 96);
    device::fence_mbarrier_init();
  }
  device::sync_block();
  int sum = 0;
  for (uint32_t round = 0; round < 2; ++round) {
    if (rank == 96) {
      if (!is(Reuse::kNoProducerWait)) device::mbarrier_wait(empty, round % 2 ^ 1);
      device::mbarrier_arrive_expect(full, kWordsBytes);
      device::load_box<2>(words, maps.words, full, {{0, 0}});
      if (is(Reuse::kNoProducerWait)) device::mbarrier_wait(full, round % 2);
    } else if (rank < 96) {
      device::mbarrier_wait(full, round % 2);
      if (is(Reuse::kArriveBeforeRead)) device::mbarrier_arrive(empty);
      sum += words.load(rank);
      if (!is(Reuse::kArriveBeforeRead)) device::mbarrier_arrive(empty);
    }
  }
  out.store(rank, sum);
}

enum class Im2col { kTapNegative, kTapTooLarge, kStartOutside, kTiledMap };

template <Version kVersion, Im2col kError>
YOLOCU_KERNEL load_pixels(Out out, In, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto is = [](Im2col error) { return kVersion == Version::kWrong && kError == error; };
  const auto dst = device::shared_memory<device::Half>(1024);
  const int rank = rank_of_thread();
  make_mbarriers(1, 1);
  if (rank == 0) {
    device::mbarrier_arrive_expect(mbarrier_number(0), 8 * 128);
    const int32_t tap = is(Im2col::kTapNegative) ? -1 : is(Im2col::kTapTooLarge) ? 256 : 255;
    if (is(Im2col::kTiledMap)) {
      device::load_im2col<4>(dst, maps.tile, mbarrier_number(0), {{0, 0, 0, 0}}, {{0, 0}});
    } else {
      const int32_t first = is(Im2col::kStartOutside) ? -2 : -1;
      device::load_im2col<4>(dst, maps.pixels, mbarrier_number(0), {{0, first, 6, 0}}, {{tap, 0}});
    }
  }
  device::mbarrier_wait(mbarrier_number(0), 0);
  out.store(rank, dst.load<uint16_t>(rank));
}

enum class Store {
  kNoFence,
  kFenceBefore,
  kNoBarrier,
  kNoWait,
  kNoCommit,
  kOverwritten,
  kOverwrittenByOthers,
  kNegative,
  kMisaligned,
  kUninitialised
};

// Words of all threads to result, by one thread; then the memory is used for something else.
template <Version kVersion, Store kError>
YOLOCU_KERNEL store_words(Out, In in, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto is = [](Store error) { return kVersion == Version::kWrong && kError == error; };
  const auto words = device::shared_memory<int>(is(Store::kMisaligned) ? 1040 : 1024);
  const int rank = rank_of_thread();
  if (is(Store::kFenceBefore)) device::fence_async_proxy();
  if (!is(Store::kUninitialised) || rank != 77) words.store(rank, in.load(rank));
  if (!is(Store::kNoFence) && !is(Store::kFenceBefore)) device::fence_async_proxy();
  if (!is(Store::kNoBarrier)) device::sync_block();
  if (rank == 0) {
    device::store_box<2>(maps.result, {{is(Store::kNegative) ? -4 : 0, 0}}, words);
    if (!is(Store::kNoCommit)) device::commit_stores();
    if (is(Store::kOverwritten)) words.store(0, 1);
    if (!is(Store::kNoWait)) device::wait_stores_read<0>();
  }
  if (!is(Store::kOverwrittenByOthers)) device::sync_block();
  if (!is(Store::kNoWait) && !is(Store::kNoCommit)) words.store(rank, 0);
}

enum class StoredGlobal { kReadTooEarly, kOverwritten, kStoredTwice };

// Words of all threads to result by a bulk store, then an access to what it writes.
template <Version kVersion, StoredGlobal kError>
YOLOCU_KERNEL access_stored(Out out, In in, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto words = device::shared_memory<int>(1024);
  const int rank = rank_of_thread();
  words.store(rank, in.load(rank));
  device::fence_async_proxy();
  device::sync_block();
  if (rank != 0) return;
  device::store_box<2>(maps.result, {{0, 0}}, words);
  device::commit_stores();
  if constexpr (kVersion == Version::kRight) device::wait_stores<0>();
  if constexpr (kError == StoredGlobal::kStoredTwice) {
    device::store_box<2>(maps.result, {{0, 0}}, words);
    device::commit_stores();
  }
  device::wait_stores_read<0>();
  if constexpr (kError == StoredGlobal::kReadTooEarly) out.store(1, out.load(0) + 1);
  if constexpr (kError == StoredGlobal::kOverwritten) out.store(0, 5);
}

// The source of a load may be read until the load is waited for.
template <Version kVersion>
YOLOCU_KERNEL overwrite_source(Out out, In in, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto barrier = device::shared_memory<uint64_t>();
  const auto words = device::shared_memory<int>(1024);
  const int rank = rank_of_thread();
  out.store(rank, in.load(rank));
  if (rank == 0) {
    device::mbarrier_init(barrier, 1);
    device::fence_mbarrier_init();
  }
  device::sync_block();
  if (rank == 0) {
    device::mbarrier_arrive_expect(barrier, 512);
    device::load_box<2>(words, maps.result, barrier, {{0, 0}});
  }
  device::sync_block();
  if (kVersion == Version::kWrong) out.store(rank, 1);
  device::mbarrier_wait(barrier, 0);
  device::sync_block();
  if (kVersion == Version::kRight) out.store(rank, words.load(rank) + 1);
}

inline std::vector<PlantedBug> bulk_copy_bugs() {
  return launched_as(
      kBulkLaunch,
      {
          PLANTED_CASE(load_words, Load::kNoWait, "in flight", "race: ", "uninitialised shared"),
          PLANTED_CASE(load_words, Load::kNeverWaited, "bulk load that nobody in it waited for"),
          PLANTED_CASE(load_words, Load::kOneThreadWaits, "in flight",
                       "race: ", "uninitialised shared"),
          PLANTED_CASE(load_words, Load::kWrongParity, "in flight",
                       "race: ", "uninitialised shared", "wait at the mbarrier"),
          PLANTED_CASE(load_words, Load::kTooFewBytes, "0 arrivals and -16 bytes missing"),
          PLANTED_CASE(load_words, Load::kTooManyBytes, "0 arrivals and 16 bytes missing"),
          PLANTED_CASE(load_words, Load::kNotExpected, "in flight",
                       "race: ", "uninitialised shared"),
          PLANTED_CASE(load_words, Load::kNoInitFence, "without fence_mbarrier_init"),
          PLANTED_CASE(load_words, Load::kNoInitBarrier, "no mbarrier was initialised",
                       "race: mbarrier initialised"),
          PLANTED_CASE(load_words, Load::kNoObject, "no mbarrier was initialised"),
          PLANTED_CASE(load_words, Load::kMisaligned, "must be a multiple of 128 bytes, got 1088"),
          PLANTED_CASE(load_words, Load::kOutOfBounds, "shared memory out of bounds"),
          PLANTED_CASE(load_words, Load::kOverObject, "asynchronous access to a live mbarrier"),
          PLANTED_CASE(load_words, Load::kWrongRank, "expected a map of rank 3, got rank 2"),
          PLANTED_CASE(load_words, Load::kWrongMode, "expected a kTiled map, got kIm2col"),
          PLANTED_CASE(load_words, Load::kHalfChunk, "must be a multiple of 16 bytes"),
          PLANTED_CASE(load_words, Load::kTwoAtOnce, "in flight", "race: "),
          PLANTED_CASE(load_words, Load::kInvalidatedEarly, "before a wait saw its bulk copies"),
          PLANTED_CASE(overwrite_by_load, Overwrite::kNoFence, "no fence_async_proxy"),
          PLANTED_CASE(overwrite_by_load, Overwrite::kFenceBefore, "no fence_async_proxy"),
          PLANTED_CASE(overwrite_by_load, Overwrite::kFenceByIssuer, "no fence_async_proxy"),
          PLANTED_CASE(overwrite_by_load, Overwrite::kNoBarrier, "no fence_async_proxy",
                       "race: ", "in flight"),
          PLANTED_CASE(overwrite_by_load, Overwrite::kCopiesNotFenced, "no fence_async_proxy"),
          PLANTED_CASE(reuse_by_load, Reuse::kNoProducerWait, "race: ", "in flight",
                       "no wait saw phase", "wait at the mbarrier"),
          PLANTED_CASE(reuse_by_load, Reuse::kArriveBeforeRead, "race: ", "in flight"),
          PLANTED_CASE(load_pixels, Im2col::kTapNegative, "tap 0 must be in 0..255, got -1"),
          PLANTED_CASE(load_pixels, Im2col::kTapTooLarge, "tap 0 must be in 0..255, got 256"),
          PLANTED_CASE(load_pixels, Im2col::kStartOutside, "must lie in the map's box -1..6"),
          PLANTED_CASE(load_pixels, Im2col::kTiledMap, "expected a kIm2col map, got kTiled"),
          PLANTED_CASE(access_stored, StoredGlobal::kReadTooEarly, "race on global memory"),
          PLANTED_CASE(access_stored, StoredGlobal::kOverwritten, "race on global memory"),
          PLANTED_CASE(access_stored, StoredGlobal::kStoredTwice, "race on global memory"),
          PLANTED(overwrite_source, "race on global memory"),
          PLANTED_CASE(store_words, Store::kNoFence, "no fence_async_proxy"),
          PLANTED_CASE(store_words, Store::kFenceBefore, "no fence_async_proxy"),
          PLANTED_CASE(store_words, Store::kNoBarrier, "no fence_async_proxy",
                       "race: ", "uninitialised shared"),
          PLANTED_CASE(store_words, Store::kNoWait, "wait_stores_read is missing"),
          PLANTED_CASE(store_words, Store::kNoCommit, "wait_stores_read is missing"),
          PLANTED_CASE(store_words, Store::kOverwritten, "race: "),
          PLANTED_CASE(store_words, Store::kOverwrittenByOthers, "race: ", "no fence_async_proxy"),
          PLANTED_CASE(store_words, Store::kNegative, "of a store must not be negative, got -4"),
          PLANTED_CASE(store_words, Store::kMisaligned, "must be a multiple of 128 bytes"),
          PLANTED_CASE(store_words, Store::kUninitialised, "uninitialised shared memory is read"),
      });
}

}  // namespace yolocu::testing
