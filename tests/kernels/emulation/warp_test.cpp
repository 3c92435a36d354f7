// Shuffles, votes and reductions, lane by lane against PTX's description of shfl.sync and
// vote.sync.
#include <array>

#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu {
namespace {

using device::GlobalPtr;
using emulation::EmulatedDevice;
using testing::make_buffer;

constexpr int kModes = 4;  // idx, up, down, xor

// out[lane][mode] = what lane reads from values[lane] = 1000 + lane.
YOLOCU_KERNEL shuffle_all(GlobalPtr<double> out, uint32_t operand, uint32_t width) {
  const uint32_t lane = device::lane();
  const double value = 1000.0 + lane;  // 8 bytes
  const uint32_t all = device::kAllLanes;
  out.store(lane * kModes, device::shuffle(value, operand + lane, all, width));
  out.store(lane * kModes + 1, device::shuffle_up(value, operand, all, width));
  out.store(lane * kModes + 2, device::shuffle_down(value, operand, all, width));
  out.store(lane * kModes + 3, device::shuffle_xor(value, operand, all, width));
}

// PTX ISA, shfl.sync: c holds the segment mask in bits 8..12 and the clamp in bits 0..4; lane j is
// read if the predicate holds, else the own lane.
uint32_t ptx_source(int mode, uint32_t lane, uint32_t b, uint32_t width) {
  const uint32_t c = ((32 - width) << 8) | (mode == 1 ? 0u : 31u);
  const uint32_t segment_mask = (c >> 8) & 31, clamp = c & 31;
  const uint32_t b5 = b & 31;
  const uint32_t max_lane = (lane & segment_mask) | (clamp & ~segment_mask & 31);
  const uint32_t min_lane = lane & segment_mask;
  int64_t j = 0;
  bool holds = false;
  switch (mode) {
    case 0:
      j = min_lane | (b5 & ~segment_mask & 31);
      holds = j <= max_lane;
      break;
    case 1:
      j = int64_t{lane} - b5;
      holds = j >= int64_t{max_lane};
      break;
    case 2:
      j = lane + b5;
      holds = j <= max_lane;
      break;
    default: j = lane ^ b5; holds = j <= max_lane;
  }
  return holds ? static_cast<uint32_t>(j) : lane;
}

TEST(EmulatedWarp, ShufflesReadTheLanePtxNames) {
  EmulatedDevice device;
  for (const uint32_t width : {1u, 2u, 4u, 8u, 16u, 32u}) {
    for (uint32_t operand = 0; operand < 32; ++operand) {
      auto out = make_buffer<double>(device, 32 * kModes, "out");
      ASSERT_OK(device.launch(named_kernel("shuffle_all", shuffle_all), {.block = {32}},
                              GlobalPtr(out.data()), operand, width));
      const auto result = out.download().value();
      for (uint32_t lane = 0; lane < 32; ++lane) {
        for (int mode = 0; mode < kModes; ++mode) {
          const uint32_t b = mode == 0 ? operand + lane : operand;
          EXPECT_EQ(result[lane * kModes + static_cast<size_t>(mode)],
                    1000.0 + ptx_source(mode, lane, b, width))
              << "mode " << mode << " lane " << lane << " operand " << operand << " width "
              << width;
        }
      }
    }
  }
}

// Even and odd lanes vote apart, on bit `lane` of pattern.
YOLOCU_KERNEL vote_by_parity(GlobalPtr<uint32_t> out, uint32_t pattern) {
  const uint32_t lane = device::lane();
  const int predicate = (pattern >> lane & 1u) != 0 ? 5 : 0;
  const uint32_t mask = lane % 2 == 0 ? 0x55555555u : 0xAAAAAAAAu;
  out.store(lane * 3, device::ballot(predicate, mask));
  out.store(lane * 3 + 1, static_cast<uint32_t>(device::any_lane(predicate, mask)));
  out.store(lane * 3 + 2, static_cast<uint32_t>(device::all_lanes(predicate, mask)));
}

TEST(EmulatedWarp, VotesSeeTheirMaskOnly) {
  EmulatedDevice device;
  for (const uint32_t pattern : {0u, 1u, 0x55555555u, 0xAAAAAAAAu, 0x12345678u, 0xFFFFFFFFu}) {
    auto out = make_buffer<uint32_t>(device, 96, "out");
    ASSERT_OK(device.launch(named_kernel("vote_by_parity", vote_by_parity), {.block = {32}},
                            GlobalPtr(out.data()), pattern));
    const auto result = out.download().value();
    for (size_t lane = 0; lane < 32; ++lane) {
      const uint32_t mask = lane % 2 == 0 ? 0x55555555u : 0xAAAAAAAAu;
      EXPECT_EQ(result[lane * 3], pattern & mask);
      EXPECT_EQ(result[lane * 3 + 1], (pattern & mask) != 0 ? 1u : 0u);
      EXPECT_EQ(result[lane * 3 + 2], (pattern & mask) == mask ? 1u : 0u);
    }
  }
}

YOLOCU_KERNEL reduce_warps(GlobalPtr<const int> in, GlobalPtr<int> out) {
  const uint32_t rank = device::thread_rank();
  const int value = in.load(rank);
  out.store(rank * 2, device::warp_sum(value));
  out.store(rank * 2 + 1, device::warp_max(value));
}

TEST(EmulatedWarp, ReductionsReachEveryLane) {
  EmulatedDevice device;
  std::vector<int> values(96);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int>(i * 37 % 101) - 50;
  auto in = testing::filled_buffer(device, values, "in");
  auto out = make_buffer<int>(device, 192, "out");
  ASSERT_OK(device.launch(named_kernel("reduce_warps", reduce_warps), {.block = {96}},
                          GlobalPtr<const int>(in.data()), GlobalPtr(out.data())));
  const auto result = out.download().value();
  for (size_t rank = 0; rank < 96; ++rank) {
    const auto first = values.begin() + static_cast<int64_t>(rank / 32 * 32);
    EXPECT_EQ(result[rank * 2], std::accumulate(first, first + 32, 0));
    EXPECT_EQ(result[rank * 2 + 1], *std::max_element(first, first + 32));
  }
}

YOLOCU_KERNEL vote_in_partial_warp(GlobalPtr<uint32_t> out) {
  out.store(device::thread_rank(), device::ballot(1));
}

TEST(EmulatedWarp, LanesThatTheBlockLacksTakeNoPart) {
  EmulatedDevice device;
  auto out = make_buffer<uint32_t>(device, 37, "out");
  ASSERT_OK(device.launch(named_kernel("vote_in_partial_warp", vote_in_partial_warp),
                          {.block = {37}}, GlobalPtr(out.data())));
  const auto result = out.download().value();
  EXPECT_EQ(result[0], 0xFFFFFFFFu);
  EXPECT_EQ(result[36], 0x1Fu);
}

}  // namespace
}  // namespace yolocu
