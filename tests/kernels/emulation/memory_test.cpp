// Loads, stores, atomics and asynchronous copies, byte by byte; and what the counters say of them.
#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu {
namespace {

using device::GlobalPtr;
using device::LoadHint;
using device::StoreHint;
using device::Words2;
using device::Words4;
using emulation::AsyncDelivery;
using emulation::Counting;
using emulation::EmulatedDevice;
using testing::count_up;
using testing::filled_buffer;
using testing::make_buffer;

// Copies V by V through shared memory, one V a thread.
template <typename V, LoadHint kLoad, StoreHint kStore>
YOLOCU_KERNEL copy_through_shared(GlobalPtr<uint8_t> out, GlobalPtr<const uint8_t> in) {
  const auto bytes = device::shared_memory<uint8_t>(64);
  const int64_t at = int64_t{device::thread_rank()} * static_cast<int64_t>(sizeof(V));
  bytes.store<V>(at, in.load<V, kLoad>(at));
  out.store<V, kStore>(at, bytes.load<V>(at));
}

template <typename V, LoadHint kLoad = LoadHint::kNone, StoreHint kStore = StoreHint::kNone>
void expect_copies() {
  EmulatedDevice device;
  const auto values = count_up<uint8_t>(40 * sizeof(V), 3);
  auto in = filled_buffer(device, values, "in");
  auto out = make_buffer<uint8_t>(device, in.size(), "out");
  ASSERT_OK(
      device.launch(named_kernel("copy_through_shared", copy_through_shared<V, kLoad, kStore>),
                    {.block = {40}, .shared_bytes = 64 + in.size()}, GlobalPtr(out.data()),
                    GlobalPtr<const uint8_t>(in.data())));
  EXPECT_EQ(out.download().value(), values);
  EXPECT_EQ(device.counters().global_read_bytes, in.size());
  EXPECT_EQ(device.counters().global_written_bytes, in.size());
}

TEST(EmulatedMemory, MovesEveryWidth) {
  expect_copies<uint8_t>();
  expect_copies<uint16_t, LoadHint::kReadOnly>();
  expect_copies<float, LoadHint::kStreaming, StoreHint::kStreaming>();
  expect_copies<Words2, LoadHint::kReadOnlyL2Prefetch>();
  expect_copies<Words4, LoadHint::kReadOnly, StoreHint::kStreaming>();
}

// Every thread of every block adds its number to all places; shared partial sums first.
YOLOCU_KERNEL add_up(GlobalPtr<int> sums, GlobalPtr<float> float_sum, GlobalPtr<uint32_t> bits) {
  const auto partial = device::shared_memory<int>();
  const auto number = static_cast<int>(device::block_index().x * 64 + device::thread_rank());
  if (device::thread_rank() == 0) partial.store(0, 0);
  device::sync_block();
  device::atomic_add(partial, 0, number);
  device::sync_block();
  if (device::thread_rank() == 0) device::atomic_add(sums, 0, partial.load(0));
  device::atomic_max(sums, 1, number * 7 % 1000);
  device::atomic_min(sums, 2, number * 7 % 1000 - 500);
  device::atomic_add(float_sum, 0, static_cast<float>(number % 4));
  device::atomic_or(bits, 0, 1u << (number % 20));
  if (number == 9) device::atomic_exchange(bits, 1, 77);
  device::atomic_compare_exchange(bits, 2, 5, static_cast<uint32_t>(number) + 100);
}

TEST(EmulatedMemory, AtomicsLoseNothing) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    EmulatedDevice device({.seed = seed, .workers = 2});
    auto sums = filled_buffer<int>(device, {0, -1, 1000}, "sums");
    auto float_sum = filled_buffer<float>(device, {0}, "float_sum");
    auto bits = filled_buffer<uint32_t>(device, {0, 1, 5}, "bits");
    ASSERT_OK(device.launch(
        named_kernel("add_up", add_up), {.grid = {16}, .block = {64}, .shared_bytes = 4},
        GlobalPtr(sums.data()), GlobalPtr(float_sum.data()), GlobalPtr(bits.data())));
    EXPECT_EQ(sums.download().value(), (std::vector<int>{1024 * 1023 / 2, 999, -500}));
    EXPECT_EQ(float_sum.download().value()[0], 256.0f * (0 + 1 + 2 + 3));
    const auto bit_values = bits.download().value();
    EXPECT_EQ(bit_values[0], (1u << 20) - 1);
    EXPECT_EQ(bit_values[1], 77u);
    EXPECT_GE(bit_values[2], 100u) << "exactly one exchange succeeds";
  }
}

// Thread t copies kBytes with source_bytes[t], in groups of one; out gets all of shared memory.
template <int kBytes>
YOLOCU_KERNEL copy_with_fill(GlobalPtr<uint8_t> out, GlobalPtr<const uint8_t> in) {
  const auto bytes = device::shared_memory<uint8_t>();
  const int64_t rank = device::thread_rank();
  device::copy_async<kBytes>(bytes, rank * kBytes, in, rank * kBytes,
                             static_cast<int>(rank) % (kBytes + 1));
  device::commit_copies();
  device::wait_copies<0>();
  for (int i = 0; i < kBytes; ++i) out.store(rank * kBytes + i, bytes.load(rank * kBytes + i));
}

template <int kBytes>
void expect_fill(AsyncDelivery delivery) {
  EmulatedDevice device({.delivery = delivery});
  auto expected = count_up<uint8_t>(34 * kBytes, 1);
  auto in = filled_buffer(device, expected, "in");
  auto out = make_buffer<uint8_t>(device, in.size(), "out");
  ASSERT_OK(device.launch(named_kernel("copy_with_fill", copy_with_fill<kBytes>),
                          {.block = {34}, .shared_bytes = in.size()}, GlobalPtr(out.data()),
                          GlobalPtr<const uint8_t>(in.data())));
  for (size_t i = 0; i < expected.size(); ++i) {
    if (i % kBytes >= i / kBytes % (kBytes + 1)) expected[i] = 0;
  }
  EXPECT_EQ(out.download().value(), expected);
}

TEST(EmulatedAsync, FillsWithZerosBeyondTheSource) {
  for (const auto delivery : {AsyncDelivery::kLate, AsyncDelivery::kEarly}) {
    expect_fill<4>(delivery);
    expect_fill<8>(delivery);
    expect_fill<16>(delivery);
  }
}

// A ring of three stages: the sum of all words of in, by 32 threads.
YOLOCU_KERNEL sum_through_ring(GlobalPtr<int> out, GlobalPtr<const int> in, int tiles) {
  const auto ring = device::shared_memory<int>();
  const auto lane = static_cast<int>(device::lane());
  const auto fetch = [&](int tile) {
    if (tile < tiles) {
      device::copy_async<4>(ring, tile % 3 * 32 + lane, in, tile * 32 + lane);
    }
    device::commit_copies();  // empty at the end: the wait below counts groups
  };
  fetch(0);
  fetch(1);
  int sum = 0;
  for (int tile = 0; tile < tiles; ++tile) {
    device::wait_copies<1>();
    device::sync_block();
    sum += ring.load(tile % 3 * 32 + (lane + 5) % 32);
    fetch(tile + 2);
  }
  sum = device::warp_sum(sum);
  if (lane == 0) out.store(0, sum);
}

TEST(EmulatedAsync, GroupsArriveInOrder) {
  for (const auto delivery : {AsyncDelivery::kLate, AsyncDelivery::kEarly}) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      EmulatedDevice device({.seed = seed, .delivery = delivery});
      const auto values = count_up<int>(7 * 32, -3);
      auto in = filled_buffer(device, values, "in");
      auto out = make_buffer<int>(device, 1, "out");
      ASSERT_OK(device.launch(named_kernel("sum_through_ring", sum_through_ring),
                              {.block = {32}, .shared_bytes = 384}, GlobalPtr(out.data()),
                              GlobalPtr<const int>(in.data()), 7));
      EXPECT_EQ(out.download().value()[0], std::accumulate(values.begin(), values.end(), 0));
      EXPECT_EQ(device.counters().async_copied_bytes, 7 * 128);
    }
  }
}

// Lane i reads word i * stride of global memory, then of shared memory, twice.
YOLOCU_KERNEL read_strided(GlobalPtr<const int> in, GlobalPtr<int> out, int stride) {
  const auto words = device::shared_memory<int>();
  const auto lane = static_cast<int>(device::lane());
  int sum = 0;
  for (int turn = 0; turn < 2; ++turn) {
    const int value = in.load(lane * stride);
    words.store(lane * stride, value);
    sum += value;
  }
  out.store(lane, sum);
}

TEST(EmulatedCounters, CountSectorsAndBankConflicts) {
  for (const int stride : {1, 2, 3, 8, 32}) {
    EmulatedDevice device({.counting = Counting::kRequests});
    auto in = filled_buffer(device, count_up<int>(32 * 32, 0), "in");
    auto out = make_buffer<int>(device, 32, "out");
    ASSERT_OK(device.launch(named_kernel("read_strided", read_strided),
                            {.block = {32}, .shared_bytes = 4096}, GlobalPtr<const int>(in.data()),
                            GlobalPtr(out.data()), stride));
    const auto& counters = device.counters();
    // 8 words a sector; the two loads and the store of 32 words in 4 sectors.
    const int64_t sectors = std::min(32, (31 * stride) / 8 + 1);
    EXPECT_EQ(counters.global_requests, 3);
    EXPECT_EQ(counters.global_sectors, 2 * sectors + 4) << "stride " << stride;
    EXPECT_EQ(counters.shared_requests, 2);
    EXPECT_EQ(counters.shared_passes, 2 * std::gcd(stride, 32)) << "stride " << stride;
    EXPECT_EQ(counters.shared_ideal_passes, 2);
  }
}

// Lane i copies 16 bytes from 16 * stride * i on to 16 * i; the upper lanes only fill with zeros.
YOLOCU_KERNEL copy_strided(GlobalPtr<const int> in, int stride, int lanes) {
  const auto words = device::shared_memory<int>();
  const auto lane = static_cast<int>(device::lane());
  device::copy_async<16>(words, lane * 4, in, lane * stride * 4, lane < lanes ? 16 : 0);
  device::wait_all_copies();
}

TEST(EmulatedCounters, CountAsynchronousCopies) {
  for (const int stride : {1, 2, 5}) {
    for (const int lanes : {32, 7}) {
      EmulatedDevice device({.counting = Counting::kRequests});
      auto in = filled_buffer(device, count_up<int>(32 * 5 * 4, 0), "in");
      ASSERT_OK(device.launch(named_kernel("copy_strided", copy_strided),
                              {.block = {32}, .shared_bytes = 512}, GlobalPtr<const int>(in.data()),
                              stride, lanes));
      const auto& counters = device.counters();
      EXPECT_EQ(counters.global_requests, 1);
      EXPECT_EQ(counters.global_sectors, stride == 1 ? (lanes + 1) / 2 : lanes);
      EXPECT_EQ(counters.shared_requests, 1);
      EXPECT_EQ(counters.shared_passes, 4) << "8 lanes of 16 bytes fill the banks once";
      EXPECT_EQ(counters.async_copied_bytes, lanes * 16);
      EXPECT_EQ(counters.global_read_bytes, lanes * 16) << "the same bytes";
    }
  }
}

}  // namespace
}  // namespace yolocu
