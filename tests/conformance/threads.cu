// Where a thread is, and barriers of its block.
#include "kernels/device/threads.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;

constexpr Extent3 kPlaceGrid = {2, 3, 2}, kPlaceBlock = {5, 4, 3};
constexpr int64_t kPlaceThreads = 60, kPlaceBlocks = 12, kPlaceWords = 16;
constexpr int kCountRounds = 4;

// out [blocks, threads, 16]: all that a thread can ask about its place.
YOLOCU_KERNEL tell_place(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t>) {
  const Index3 block = device::block_index(), grid = device::grid_extent();
  const uint32_t number = (block.z * grid.y + block.y) * grid.x + block.x;
  const int64_t at = (number * kPlaceThreads + device::thread_rank()) * kPlaceWords;
  const Index3 places[] = {device::thread_index(), block, device::block_extent(), grid};
  YOLOCU_UNROLL
  for (int i = 0; i < 4; ++i) {
    out.store(at + 3 * i, places[i].x);
    out.store(at + 3 * i + 1, places[i].y);
    out.store(at + 3 * i + 2, places[i].z);
  }
  out.store(at + 12, device::thread_rank());
  out.store(at + 13, device::warp_rank());
  out.store(at + 14, device::lane());
  out.store(at + 15, device::thread_count());
}

Expectation expect_places(std::span<const uint8_t>) {
  std::vector<uint32_t> words;
  for (uint32_t block = 0; block < kPlaceBlocks; ++block) {
    for (uint32_t thread = 0; thread < kPlaceThreads; ++thread) {
      const uint32_t row[] = {thread % 5,
                              thread / 5 % 4,
                              thread / 20,
                              block % 2,
                              block / 2 % 3,
                              block / 6,
                              5,
                              4,
                              3,
                              2,
                              3,
                              2,
                              thread,
                              thread / 32,
                              thread % 32,
                              60};
      words.insert(words.end(), std::begin(row), std::end(row));
    }
  }
  return {bytes_of(words)};
}

// out [n] = in reversed, through shared memory.
YOLOCU_KERNEL reverse_in_block(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  const auto staged = device::shared_memory<uint32_t>();
  const int64_t i = device::thread_rank(), n = device::thread_count();
  staged.store(i, in.load(i));
  device::sync_block();
  out.store(i, staged.load(n - 1 - i));
}

// out [4, n]: how many threads have bit r of their input set.
YOLOCU_KERNEL count_in_block(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  const int64_t i = device::thread_rank(), n = device::thread_count();
  for (int r = 0; r < kCountRounds; ++r) {
    const int count = device::sync_block_count(static_cast<int>(in.load(i) & (1u << r)));
    out.store(r * n + i, static_cast<uint32_t>(count));
  }
}

Expectation expect_counts(std::span<const uint8_t> input) {
  std::vector<uint32_t> words;
  for (int r = 0; r < kCountRounds; ++r) {
    uint32_t count = 0;
    for (const uint32_t word : values_of<uint32_t>(input)) count += word >> r & 1;
    words.insert(words.end(), input.size() / 4, count);
  }
  return {bytes_of(words)};
}

// Warp 0 hands rows of 32 words to warps 1 and 2 by two named barriers, "full" and "empty".
// in [4, 32]; out [4, 2, 32]: warp 1 reads them reversed, warp 2 as they are.
YOLOCU_KERNEL hand_rows_over(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  constexpr int kFull = 1, kEmpty = 2, kThreads = 96, kRows = 4;
  const auto row = device::shared_memory<uint32_t>();
  const uint32_t lane = device::lane(), warp = device::warp_rank();
  for (int r = 0; r < kRows; ++r) {
    if (warp == 0) {
      row.store(lane, in.load(r * 32 + lane));
      device::arrive_barrier(kFull, kThreads);
      device::sync_barrier(kEmpty, kThreads);
    } else {
      device::sync_barrier(kFull, kThreads);
      out.store((r * 2 + warp - 1) * 32 + lane, row.load(warp == 1 ? 31 - lane : lane));
      device::arrive_barrier(kEmpty, kThreads);
    }
  }
}

Expectation expect_rows(std::span<const uint8_t> input) {
  const auto in = values_of<uint32_t>(input);
  std::vector<uint32_t> words;
  for (size_t r = 0; r < 4; ++r) {
    for (size_t i = 0; i < 32; ++i) words.push_back(in[r * 32 + 31 - i]);
    for (size_t i = 0; i < 32; ++i) words.push_back(in[r * 32 + i]);
  }
  return {bytes_of(words)};
}

Expectation expect_reversed(std::span<const uint8_t> input) {
  const auto words = values_of<uint32_t>(input);
  return {bytes_of(std::vector<uint32_t>(words.rbegin(), words.rend()))};
}

void add_threads_cases(Cases& cases) {
  cases.push_back(kernel_case("threads/places", tell_place,
                              {.grid = kPlaceGrid, .block = kPlaceBlock},
                              {0, kPlaceBlocks * kPlaceThreads * kPlaceWords * 4}, expect_places));
  cases.push_back(kernel_case("threads/sync_block", reverse_in_block,
                              {.block = {256}, .shared_bytes = 1024}, {1024, 1024},
                              expect_reversed));
  cases.push_back(kernel_case("threads/sync_block_count", count_in_block, {.block = {160}},
                              {160 * 4, kCountRounds * 160 * 4}, expect_counts));
  cases.push_back(kernel_case("threads/named_barriers", hand_rows_over,
                              {.block = {96}, .shared_bytes = 128}, {512, 1024}, expect_rows));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
