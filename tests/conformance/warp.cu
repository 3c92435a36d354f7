// Exchange between the lanes of a warp.
#include <algorithm>

#include "kernels/device/warp.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;

constexpr int64_t kLanes = 32;

// in [64]: 32 values, 32 sources or masks. out [5, 32]: the four shuffles of segments of kWidth
// lanes, and shuffle among the odd lanes only. `distance` of up, down and xor.
template <uint32_t kWidth>
YOLOCU_KERNEL shuffle_lanes(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in,
                            uint32_t distance) {
  const uint32_t lane = device::lane(), value = in.load(lane), source = in.load(32 + lane) % 64;
  const uint32_t all = device::kAllLanes;
  out.store(lane, device::shuffle(value, source, all, kWidth));
  out.store(32 + lane, device::shuffle_up(value, distance, all, kWidth));
  out.store(64 + lane, device::shuffle_down(value, distance, all, kWidth));
  out.store(96 + lane, device::shuffle_xor(value, distance, all, kWidth));
  if (lane % 2 == 1) {
    out.store(128 + lane, device::shuffle(value, source | 1, 0xAAAAAAAA, kWidth));
  }
}

Expectation expect_shuffles(std::span<const uint8_t> input, uint32_t width, uint32_t distance) {
  const auto in = values_of<uint32_t>(input);
  std::vector<uint32_t> out(160, 0xFFFFFFFF);
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t base = lane - lane % width, source = in[32 + lane] % 64;
    out[lane] = in[base + source % width];
    out[32 + lane] = in[lane - base < distance ? lane : lane - distance];
    out[64 + lane] = in[lane + distance >= base + width ? lane : lane + distance];
    // A pattern that leaves the segment upwards stays; downwards it may read.
    out[96 + lane] = in[(lane ^ distance) >= base + width ? lane : lane ^ distance];
    if (lane % 2 == 1) out[128 + lane] = in[base + (source | 1) % width];
  }
  return {bytes_of(out)};
}

// in [64] words as 32 double words; out as well, rotated by 5 lanes.
YOLOCU_KERNEL rotate_wide(GlobalPtr<uint64_t> out, GlobalPtr<const uint64_t> in) {
  const uint32_t lane = device::lane();
  out.store(lane, device::shuffle(in.load(lane), lane + 5));
}

// out [6, 32]: ballot, any and all of bits of in [32], of all lanes and of those of the own parity,
// and of nobody and everybody.
YOLOCU_KERNEL vote(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  const uint32_t lane = device::lane();
  const int bit = static_cast<int>(in.load(lane) & 256);
  out.store(lane, device::ballot(bit));
  out.store(32 + lane, static_cast<uint32_t>(device::any_lane(bit)));
  out.store(64 + lane, static_cast<uint32_t>(device::all_lanes(bit)));
  out.store(96 + lane, static_cast<uint32_t>(device::any_lane(0) + 2 * device::all_lanes(7)));
  if (lane % 2 == 0) {
    out.store(128 + lane, device::ballot(bit, 0x55555555));
    out.store(160 + lane, static_cast<uint32_t>(device::any_lane(bit, 0x55555555)));
  } else {
    out.store(128 + lane, device::ballot(bit, 0xAAAAAAAA));
    out.store(160 + lane, static_cast<uint32_t>(device::any_lane(bit, 0xAAAAAAAA)));
  }
}

Expectation expect_votes(std::span<const uint8_t> input) {
  const auto in = values_of<uint32_t>(input);
  uint32_t all = 0;
  for (uint32_t i = 0; i < 32; ++i) all |= (in[i] >> 8 & 1) << i;
  std::vector<uint32_t> out(192);
  for (uint32_t i = 0; i < 32; ++i) {
    const uint32_t own = all & (i % 2 == 0 ? 0x55555555 : 0xAAAAAAAA);
    out[i] = all;
    out[32 + i] = all != 0;
    out[64 + i] = all == 0xFFFFFFFF;
    out[96 + i] = 2;
    out[128 + i] = own;
    out[160 + i] = own != 0;
  }
  return {bytes_of(out)};
}

// out [3, 32]: sums of floats and of words, the most of the floats. in [32] words.
YOLOCU_KERNEL reduce_warp(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  const uint32_t lane = device::lane();
  const float value = static_cast<float>(static_cast<int32_t>(in.load(lane))) * 0x1p-7f;
  const auto floats = GlobalPtr<float>(reinterpret_cast<float*>(out.get()));
  floats.store(lane, device::warp_sum(value));
  out.store(32 + lane, device::warp_sum(in.load(lane)));
  floats.store(64 + lane, device::warp_max(value));
}

// The halves meet first: the float sum has one order.
Expectation expect_reductions(std::span<const uint8_t> input) {
  const auto in = values_of<uint32_t>(input);
  std::vector<float> sums(32);
  uint32_t sum = 0;
  for (size_t i = 0; i < 32; ++i) {
    sums[i] = static_cast<float>(static_cast<int32_t>(in[i])) * 0x1p-7f;
    sum += in[i];
  }
  const float most = *std::max_element(sums.begin(), sums.end());
  for (size_t half = 16; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  Bytes bytes = bytes_of(std::vector<float>(32, sums[0]));
  bytes = concatenated(bytes, bytes_of(std::vector<uint32_t>(32, sum)));
  return {concatenated(bytes, bytes_of(std::vector<float>(32, most)))};
}

// Lanes exchange through shared memory, all 32 and then in two halves. in, out [32].
YOLOCU_KERNEL exchange_by_sync_warp(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  const auto words = device::shared_memory<uint32_t>();
  const uint32_t lane = device::lane();
  words.store(lane, in.load(lane));
  device::sync_warp();
  const uint32_t value = words.load(31 - lane);
  device::sync_warp();
  words.store(lane, value);
  device::sync_warp(lane < 16 ? 0x0000FFFF : 0xFFFF0000);
  out.store(lane, words.load(lane ^ 7));
}

Expectation expect_rotated(std::span<const uint8_t> input) {
  auto values = values_of<uint64_t>(input);
  std::rotate(values.begin(), values.begin() + 5, values.end());
  return {bytes_of(values)};
}

Expectation expect_exchanged(std::span<const uint8_t> input) {
  const auto in = values_of<uint32_t>(input);
  std::vector<uint32_t> out(32);
  for (size_t i = 0; i < 32; ++i) out[i] = in[31 - (i ^ 7)];
  return {bytes_of(out)};
}

template <uint32_t kWidth>
Case shuffle_case(uint32_t distance) {
  return kernel_case(
      "warp/shuffle_w" + std::to_string(kWidth) + "_d" + std::to_string(distance),
      shuffle_lanes<kWidth>, {.block = {32}}, {2 * kLanes * 4, 5 * kLanes * 4},
      [distance](std::span<const uint8_t> input) {
        return expect_shuffles(input, kWidth, distance);
      },
      distance);
}

void add_warp_cases(Cases& cases) {
  cases.push_back(shuffle_case<32>(1));
  cases.push_back(shuffle_case<32>(19));
  cases.push_back(shuffle_case<16>(5));
  cases.push_back(shuffle_case<8>(3));
  cases.push_back(shuffle_case<2>(1));
  cases.push_back(kernel_case("warp/shuffle_8_bytes", rotate_wide, {.block = {32}},
                              {kLanes * 8, kLanes * 8}, expect_rotated));
  cases.push_back(
      kernel_case("warp/votes", vote, {.block = {32}}, {kLanes * 4, 6 * kLanes * 4}, expect_votes));
  cases.push_back(kernel_case("warp/sum_and_max", reduce_warp, {.block = {32}},
                              {kLanes * 4, 3 * kLanes * 4}, expect_reductions));
  cases.push_back(kernel_case("warp/sync_warp", exchange_by_sync_warp,
                              {.block = {32}, .shared_bytes = 128}, {kLanes * 4, kLanes * 4},
                              expect_exchanged));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
