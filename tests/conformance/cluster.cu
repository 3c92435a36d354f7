// Clusters: who is who, shared memory of other blocks, barriers of other blocks.
#include "kernels/device/cluster.h"
#include "kernels/device/mbarrier.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;
using device::RemoteSharedPtr;

constexpr Extent3 kTellGrid = {4, 6, 2}, kTellCluster = {2, 3, 1};
constexpr int64_t kTellBlocks = 48, kTellWords = 8;
constexpr int64_t kRingBlocks = 4, kRingThreads = 64;

// out [48 blocks, 8]
YOLOCU_KERNEL tell_cluster(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t>) {
  const Index3 block = device::block_index(), grid = device::grid_extent();
  const int64_t at = ((block.z * grid.y + block.y) * grid.x + block.x) * kTellWords;
  const Index3 place = device::cluster_block_index(), extent = device::cluster_extent();
  out.store(at, device::cluster_block_rank());
  out.store(at + 1, device::cluster_block_count());
  out.store(at + 2, place.x);
  out.store(at + 3, place.y);
  out.store(at + 4, place.z);
  out.store(at + 5, extent.x);
  out.store(at + 6, extent.y);
  out.store(at + 7, extent.z);
}

Expectation expect_clusters(std::span<const uint8_t>) {
  std::vector<uint32_t> out;
  for (uint32_t block = 0; block < kTellBlocks; ++block) {
    const uint32_t x = block % 4 % 2, y = block / 4 % 6 % 3;
    const uint32_t row[] = {y * 2 + x, 6, x, y, 0, 2, 3, 1};
    out.insert(out.end(), std::begin(row), std::end(row));
  }
  return {bytes_of(out)};
}

// in, out [4 blocks, 64] V. Each block reads what the next one has, reversed, and writes it to the
// one after that.
template <typename V>
YOLOCU_KERNEL pass_round(GlobalPtr<V> out, GlobalPtr<const V> in) {
  const auto own = device::shared_memory<V>(128);
  const int64_t thread = device::thread_rank();
  const uint32_t rank = device::cluster_block_rank();
  own.store(thread, in.load(rank * kRingThreads + thread));
  device::sync_cluster();
  const RemoteSharedPtr<V> next(own, (rank + 1) % kRingBlocks);
  const V value = next.load(kRingThreads - 1 - thread);
  device::arrive_cluster();
  device::wait_cluster();
  const RemoteSharedPtr<V> after_next(own, (rank + 2) % kRingBlocks);
  after_next.store(thread, value);
  device::sync_cluster();
  out.store(rank * kRingThreads + thread, own.load(thread));
}

template <typename V>
Expectation expect_round(std::span<const uint8_t> input) {
  const auto in = values_of<V>(input);
  std::vector<V> out;
  for (size_t rank = 0; rank < kRingBlocks; ++rank) {
    for (size_t i = 0; i < kRingThreads; ++i) {
      out.push_back(in[(rank + kRingBlocks - 1) % kRingBlocks * kRingThreads + 63 - i]);
    }
  }
  return {bytes_of(out)};
}

// A token of 32 words goes round the cluster twice: a block waits at its own barrier, adds its in
// to the token, writes it to the next block and arrives there. in [4, 32]; out [8, 32]: the token
// after each stop. Clusters of 4 blocks of one warp.
YOLOCU_KERNEL pass_token(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> in) {
  constexpr int kRounds = 2;
  const auto barrier = device::shared_memory<uint64_t>();
  const auto token = device::shared_memory<uint32_t>(16);
  const int64_t lane = device::lane();
  const uint32_t rank = device::cluster_block_rank(), next = (rank + 1) % kRingBlocks;
  if (lane == 0) {
    device::mbarrier_init(barrier, 32);
    device::fence_mbarrier_init();
  }
  token.store(lane, 0);
  device::sync_cluster();
  for (uint32_t round = 0; round < kRounds; ++round) {
    const bool is_first = rank == 0 && round == 0;
    // Block 0 is not waited for in the first round: its phases are one behind.
    if (!is_first) device::mbarrier_wait_cluster(barrier, (rank == 0 ? round - 1 : round) % 2);
    const uint32_t value = token.load(lane) + in.load(rank * 32 + lane);
    out.store((round * kRingBlocks + rank) * 32 + lane, value);
    if (round + 1 == kRounds && rank + 1 == kRingBlocks) break;
    RemoteSharedPtr<uint32_t>(token, next).store((lane + 1) % 32, value);
    device::mbarrier_arrive_remote(barrier, next);
  }
  device::sync_cluster();
}

Expectation expect_token(std::span<const uint8_t> input) {
  const auto in = values_of<uint32_t>(input);
  std::vector<uint32_t> out, token(32, 0);
  for (size_t stop = 0; stop < 2 * kRingBlocks; ++stop) {
    for (size_t i = 0; i < 32; ++i) token[i] += in[stop % kRingBlocks * 32 + i];
    out.insert(out.end(), token.begin(), token.end());
    const auto before = token;
    for (size_t i = 0; i < 32; ++i) token[(i + 1) % 32] = before[i];
  }
  return {bytes_of(out)};
}

template <typename V>
Case round_case() {
  constexpr int64_t kBytes = kRingBlocks * kRingThreads * int64_t{sizeof(V)};
  return with_needs(
      Needs::kSm90,
      kernel_case("cluster/remote_" + std::to_string(sizeof(V)) + "_bytes", pass_round<V>,
                  {.grid = {kRingBlocks},
                   .block = {kRingThreads},
                   .cluster = {kRingBlocks},
                   .shared_bytes = 128 + kRingThreads * int64_t{sizeof(V)}},
                  {kBytes, kBytes}, expect_round<V>));
}

void add_cluster_cases(Cases& cases) {
  cases.push_back(with_needs(Needs::kSm90,
                             kernel_case("cluster/places", tell_cluster,
                                         {.grid = kTellGrid, .block = {1}, .cluster = kTellCluster},
                                         {0, kTellBlocks * kTellWords * 4}, expect_clusters)));
  cases.push_back(round_case<uint8_t>());
  cases.push_back(round_case<uint16_t>());
  cases.push_back(round_case<uint32_t>());
  cases.push_back(round_case<device::Words2>());
  cases.push_back(round_case<device::Words4>());
  cases.push_back(with_needs(
      Needs::kSm90, kernel_case("cluster/remote_arrivals", pass_token,
                                {.grid = {kRingBlocks},
                                 .block = {32},
                                 .cluster = {kRingBlocks},
                                 .shared_bytes = 16 + 128},
                                {kRingBlocks * 128, 2 * kRingBlocks * 128}, expect_token)));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance
