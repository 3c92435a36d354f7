// Errors between warps and warpgroups: pipelines that feed wgmma, and setmaxnreg.
#pragma once

#include "kernels/device/tensor_map.h"
#include "tests/kernels/emulation/planted/wgmma.h"

namespace yolocu::testing {

// ---- a pipeline ---------------------------------------------------------------------------------

enum class Stage { kReleasedEarly, kReleasedByOneLane, kOneLaneWaits };

// Warp 4 loads two rounds of an operand into one buffer, the warpgroup multiplies each by itself.
template <Version kVersion, Stage kError>
YOLOCU_KERNEL multiply_loaded(Out out, In, YOLOCU_KERNEL_PARAM PlantedMaps maps) {
  const auto is = [](Stage error) { return kVersion == Version::kWrong && kError == error; };
  const auto tile = device::shared_memory<device::Half>(1024);
  const auto full = mbarrier_number(0), empty = mbarrier_number(1);
  const int rank = rank_of_thread();
  if (rank == 0) {
    device::mbarrier_init(full, 1);
    device::mbarrier_init(empty, is(Stage::kReleasedByOneLane) ? 4 : 128);
    device::fence_mbarrier_init();
  }
  device::sync_block();
  if (rank >= 128) {
    for (uint32_t round = 0; rank == 128 && round < 2; ++round) {
      device::mbarrier_wait(empty, round % 2 ^ 1);
      device::mbarrier_arrive_expect(full, 8192);
      device::load_box<2>(tile, maps.tile, full, {{0, 0}});
    }
    return;
  }
  const uint64_t operand = device::wgmma_operand(tile, 16, 1024, Swizzle::k128B);
  Sums8 sums;
  device::wgmma_fence(sums);
  for (uint32_t round = 0; round < 2; ++round) {
    if (!is(Stage::kOneLaneWaits) || device::lane() == 0) device::mbarrier_wait(full, round % 2);
    device::wgmma(sums, operand, operand, round > 0 ? Accumulate::kAdd : Accumulate::kReplace);
    device::wgmma_commit();
    if (!is(Stage::kReleasedEarly)) device::wgmma_wait<0>(sums);
    if (!is(Stage::kReleasedByOneLane) || (device::lane() == 0 && device::warp_rank() != 2) ||
        (device::lane() == 1 && device::warp_rank() == 1)) {
      device::mbarrier_arrive(empty);  // warp 1 twice instead of warp 2
    }
  }
  device::wgmma_wait<0>(sums);
  out.store(rank, static_cast<int>(sums.get(0)));
}

// ---- setmaxnreg ---------------------------------------------------------------------------------

enum class Registers { kUpByDecrease, kDownByIncrease, kNotOfEight, kTooFew, kOneWarp, kTooMany };

// Three warpgroups.
template <Version kVersion, Registers kError>
YOLOCU_KERNEL change_registers(Out, In) {
  const auto is = [](Registers error) { return kVersion == Version::kWrong && kError == error; };
  const uint32_t warp = device::warp_rank();
  if (warp < 4) {
    if (is(Registers::kOneWarp) && warp > 0) return;
    device::decrease_registers<40>();
    if (is(Registers::kUpByDecrease)) device::decrease_registers<48>();
    if (is(Registers::kDownByIncrease)) device::increase_registers<32>();
    if (is(Registers::kNotOfEight)) device::decrease_registers<28>();
    if (is(Registers::kTooFew)) device::decrease_registers<16>();
  } else if (is(Registers::kTooMany)) {
    device::increase_registers<240>();
  } else {
    device::increase_registers<232>();
  }
}

// ---- a block that is no warpgroup ---------------------------------------------------------------

template <Version kVersion>
YOLOCU_KERNEL three_warps_of_wgmma(Out, In) {
  if constexpr (kVersion == Version::kWrong) {
    Sums8 sums;
    device::wgmma_fence(sums);
  }
}

inline std::vector<PlantedBug> warpgroup_bugs() {
  std::vector<PlantedBug> bugs = launched_as(
      {.block = {160}, .shared_bytes = 16384},
      {
          PLANTED_CASE(multiply_loaded, Stage::kReleasedEarly, "race: "),
          PLANTED_CASE(multiply_loaded, Stage::kReleasedByOneLane, "race: ", "no wait saw phase",
                       "in flight", "wait at the mbarrier"),
          PLANTED_CASE(multiply_loaded, Stage::kOneLaneWaits, "in flight",
                       "race: ", "uninitialised shared"),
      });
  std::vector<PlantedBug> registers = launched_as(
      {.block = {384}, .shared_bytes = 16},
      {
          PLANTED_CASE(change_registers, Registers::kUpByDecrease, "decrease from 40 to 48"),
          PLANTED_CASE(change_registers, Registers::kDownByIncrease, "increase from 40 to 32"),
          PLANTED_CASE(change_registers, Registers::kNotOfEight, "a multiple of 8 in 24..256"),
          PLANTED_CASE(change_registers, Registers::kTooFew, "a multiple of 8 in 24..256, got 16"),
          PLANTED_CASE(change_registers, Registers::kOneWarp,
                       "warps of a warpgroup execute this, and another one exits"),
          PLANTED_CASE(change_registers, Registers::kTooMany, "registers together, of 65536"),
      });
  bugs.insert(bugs.end(), registers.begin(), registers.end());
  PlantedBug three_warps = PLANTED(three_warps_of_wgmma, "wgmma needs four whole warps");
  three_warps.config = {.block = {96}, .shared_bytes = 16};
  bugs.push_back(three_warps);
  return bugs;
}

}  // namespace yolocu::testing
