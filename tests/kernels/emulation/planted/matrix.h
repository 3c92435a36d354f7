// Errors around ldmatrix, stmatrix, mma.sync and fragments.
#pragma once

#include "kernels/device/fragment.h"
#include "kernels/device/matrix.h"
#include "tests/kernels/emulation/planted/registry.h"

namespace yolocu::testing {

enum class Rows {
  kMisaligned,
  kOutOfBounds,
  kBeforeBarrier,
  kNoWarpSync,
  kLanesSkip,
  kOverwritten
};

// Each warp stores the 512 bytes of another one, or its own, and loads 32 rows of 16 bytes.
template <Version kVersion, Rows kError>
YOLOCU_KERNEL load_rows(Out out, In in) {
  const auto is = [](Rows error) { return kVersion == Version::kWrong && kError == error; };
  const auto words = device::shared_memory<int>();  // [4 warps, 32 rows, 4]
  const int rank = rank_of_thread(), lane = static_cast<int>(device::lane());
  const int warp = rank / 32;
  const int writes = kError == Rows::kNoWarpSync ? warp : (warp + 1) % 4;
  for (int i = 0; i < 4; ++i) words.store(writes * 128 + 32 * i + lane, in.load(rank));
  if (kError == Rows::kNoWarpSync) {
    if (!is(Rows::kNoWarpSync)) device::sync_warp();
  } else if (!is(Rows::kBeforeBarrier)) {
    device::sync_block();
  }
  const bool skips = is(Rows::kLanesSkip) && lane >= 16;
  uint32_t registers[4] = {};
  const int64_t row =
      warp * 512 + lane * 16 + (is(Rows::kMisaligned) ? 8 : 0) + (is(Rows::kOutOfBounds) ? 16 : 0);
  if (!skips) device::load_matrix<4>(registers, device::shared_memory<device::Half>(row));
  if (!is(Rows::kOverwritten)) device::sync_block();
  words.store(writes * 128 + lane, 0);
  out.store(rank, static_cast<int>(registers[0] + registers[3]));
}

enum class Fragment { kBeforeBarrier, kLanesSkip, kOverwritten, kMisaligned, kOutOfBounds };

// The same by fragments, whose loads are put off until all lanes have come.
template <Version kVersion, Fragment kError>
YOLOCU_KERNEL load_fragments(Out out, In in) {
  const auto is = [](Fragment error) { return kVersion == Version::kWrong && kError == error; };
  const auto words = device::shared_memory<int>();
  const int rank = rank_of_thread(), lane = static_cast<int>(device::lane());
  const int warp = rank / 32, writes = (warp + 1) % 4;
  for (int i = 0; i < 4; ++i) words.store(writes * 128 + 32 * i + lane, 0 * in.load(rank));
  if (!is(Fragment::kBeforeBarrier)) device::sync_block();
  const auto rows = device::shared_memory<device::Half>(warp * 512 + 16 * lane +
                                                        (is(Fragment::kMisaligned) ? 4 : 0) +
                                                        (is(Fragment::kOutOfBounds) ? 16 : 0));
  device::FragmentA<device::Half, 1> a;
  device::FragmentB<device::Half, 1> b;
  device::FragmentSums<device::Half, 1, 1> sums;
  sums.fill(0);
  if (!is(Fragment::kLanesSkip) || lane < 31) device::load_fragment(a, rows);
  device::load_fragment(b, rows);
  device::multiply_add(sums, a, b);
  if (!is(Fragment::kOverwritten)) device::sync_block();
  words.store(writes * 128 + lane, 0);
  out.store(rank, static_cast<int>(sums.get(0, 0, 0)));
}

enum class StoreRows { kNoBarrier, kOverlap, kMisaligned, kReadByLane };

// Each warp stores 32 rows by stmatrix, another one reads them.
template <Version kVersion, StoreRows kError>
YOLOCU_KERNEL store_rows(Out out, In in) {
  const auto is = [](StoreRows error) { return kVersion == Version::kWrong && kError == error; };
  const int rank = rank_of_thread(), lane = static_cast<int>(device::lane());
  const int warp = rank / 32;
  const auto value = static_cast<uint32_t>(in.load(rank));
  const uint32_t registers[4] = {value, value, value, value};
  const int64_t row = (is(StoreRows::kOverlap) ? warp / 2 : warp) * 512 + lane * 16 +
                      (is(StoreRows::kMisaligned) ? 2 : 0);
  device::store_matrix<4>(device::shared_memory<device::Half>(row), registers);
  if (kError == StoreRows::kReadByLane) {
    if (!is(StoreRows::kReadByLane)) device::sync_warp();
  } else if (!is(StoreRows::kNoBarrier)) {
    device::sync_block();
  }
  const int reads = kError == StoreRows::kReadByLane ? warp : (warp + 1) % 4;
  const int other = kError == StoreRows::kReadByLane ? lane ^ 1 : lane;
  out.store(rank, device::shared_memory<int>().load(reads * 128 + other * 4));
}

inline std::vector<PlantedBug> matrix_bugs() {
  return launched_as(
      {.block = {128}, .shared_bytes = 2048},
      {
          PLANTED_CASE(load_rows, Rows::kMisaligned, "misaligned shared access",
                       "shared memory out of bounds"),
          PLANTED_CASE(load_rows, Rows::kOutOfBounds, "shared memory out of bounds"),
          PLANTED_CASE(load_rows, Rows::kBeforeBarrier, "race: ", "uninitialised shared"),
          PLANTED_CASE(load_rows, Rows::kNoWarpSync, "race: ", "uninitialised shared"),
          PLANTED_CASE(load_rows, Rows::kLanesSkip, "deadlock", "divergent"),
          PLANTED_CASE(load_rows, Rows::kOverwritten, "race: "),
          PLANTED_CASE(load_fragments, Fragment::kBeforeBarrier, "race: ", "uninitialised shared"),
          PLANTED_CASE(load_fragments, Fragment::kLanesSkip, "divergent matrix instruction"),
          PLANTED_CASE(load_fragments, Fragment::kOverwritten, "race: "),
          PLANTED_CASE(load_fragments, Fragment::kMisaligned, "misaligned shared access",
                       "shared memory out of bounds"),
          PLANTED_CASE(load_fragments, Fragment::kOutOfBounds, "shared memory out of bounds"),
          PLANTED_CASE(store_rows, StoreRows::kNoBarrier, "race: ", "uninitialised shared"),
          PLANTED_CASE(store_rows, StoreRows::kOverlap, "race: "),
          PLANTED_CASE(store_rows, StoreRows::kMisaligned, "misaligned shared access",
                       "shared memory out of bounds"),
          PLANTED_CASE(store_rows, StoreRows::kReadByLane, "race: ", "uninitialised shared"),
      });
}

}  // namespace yolocu::testing
