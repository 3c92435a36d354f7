// Blocks of one grid that hand data to each other: what acquires, releases and fences make visible,
// in any order of blocks, on one and on two host threads.
#include "tests/kernels/emulation/sync_kernels.h"

namespace yolocu {
namespace {

using device::GlobalPtr;
using device::Order;
using emulation::EmulatedDevice;
using testing::filled_buffer;
using testing::for_each_order;
using testing::Ints;
using testing::make_buffer;
using testing::Words;
using testing::zero_words;

constexpr uint64_t kSeeds = 20;

// Block 0 fills data, block 1 copies it once the flag says so.
YOLOCU_KERNEL pass_message(Ints out, Ints data, Words flag) {
  const uint32_t rank = device::thread_rank();
  if (testing::block_rank() == 0) {
    data.store(rank, static_cast<int>(rank) * 3);
    device::sync_block();
    if (rank == 0) device::store_release(flag, 0, 1);
  } else {
    if (rank == 0) testing::wait_for_flag(flag, 0, 1);
    device::sync_block();
    out.store(rank, data.load(rank ^ 1));
  }
}

TEST(BlockSync, ReleaseAndAcquireThroughBlockBarriersPassAMessage) {
  for_each_order(kSeeds, [](EmulatedDevice& device) {
    auto out = make_buffer<int>(device, 64, "out");
    auto data = make_buffer<int>(device, 64, "data");
    auto flag = zero_words(device, 1, "flag");
    ASSERT_OK(device.launch(named_kernel("pass_message", pass_message),
                            {.grid = {2}, .block = {64}}, Ints(out.data()), Ints(data.data()),
                            Words(flag.data())));
    const auto result = out.download().value();
    for (int i = 0; i < 64; ++i) EXPECT_EQ(result[static_cast<size_t>(i)], (i ^ 1) * 3);
  });
}

// The same with relaxed atomics between fences.
YOLOCU_KERNEL pass_by_fences(Ints out, Ints data, Words flag) {
  if (testing::block_rank() == 0) {
    data.store(0, 7);
    device::fence_device();
    device::atomic_exchange(flag, 0, 1u);
  } else {
    while (device::atomic_or(flag, 0, 0u) == 0) {
    }
    device::fence_device();
    out.store(0, data.load(0));
  }
}

TEST(BlockSync, FencesAroundRelaxedAtomicsPassAMessage) {
  for_each_order(kSeeds, [](EmulatedDevice& device) {
    auto out = make_buffer<int>(device, 1, "out");
    auto data = make_buffer<int>(device, 1, "data");
    auto flag = zero_words(device, 1, "flag");
    ASSERT_OK(device.launch(named_kernel("pass_by_fences", pass_by_fences), {.grid = {2}},
                            Ints(out.data()), Ints(data.data()), Words(flag.data())));
    EXPECT_EQ(out.download().value()[0], 7);
  });
}

// partial [n, 32]: block b writes row b; the last to come adds all rows up.
YOLOCU_KERNEL split_sum(Ints out, Ints partial, Words counter) {
  const auto is_last = device::shared_memory<uint32_t>();
  const uint32_t rank = device::thread_rank(), blocks = testing::block_count();
  partial.store(testing::block_rank() * 32 + rank, static_cast<int>(testing::block_rank() + rank));
  device::sync_block();
  if (rank == 0) {
    const uint32_t before = device::atomic_add<Order::kAcquireRelease>(counter, 0, 1u);
    is_last.store(0, before + 1 == blocks ? 1 : 0);
  }
  device::sync_block();
  if (is_last.load(0) == 0) return;
  int sum = 0;
  for (uint32_t block = 0; block < blocks; ++block) sum += partial.load(block * 32 + rank);
  out.store(rank, sum);
}

TEST(BlockSync, TheLastBlockOfASplitSumSeesAllParts) {
  for_each_order(kSeeds, [](EmulatedDevice& device) {
    constexpr int kBlocks = 40;
    auto out = make_buffer<int>(device, 32, "out");
    auto partial = make_buffer<int>(device, kBlocks * 32, "partial");
    auto counter = zero_words(device, 1, "counter");
    ASSERT_OK(device.launch(named_kernel("split_sum", split_sum),
                            {.grid = {kBlocks}, .block = {32}, .shared_bytes = 4}, Ints(out.data()),
                            Ints(partial.data()), Words(counter.data())));
    const auto result = out.download().value();
    for (int i = 0; i < 32; ++i) {
      EXPECT_EQ(result[static_cast<size_t>(i)], kBlocks * (kBlocks - 1) / 2 + kBlocks * i);
    }
  });
}

// Every thread adds 1 to a plain word under a lock.
YOLOCU_KERNEL count_under_lock(Ints count, Words word) {
  testing::lock(word);
  count.store(0, count.load(0) + 1);
  testing::unlock(word);
}

TEST(BlockSync, ASpinLockGuardsAWord) {
  for_each_order(kSeeds, [](EmulatedDevice& device) {
    auto count = filled_buffer<int>(device, {0}, "count");
    auto word = zero_words(device, 1, "word");
    ASSERT_OK(device.launch(named_kernel("count_under_lock", count_under_lock),
                            {.grid = {12}, .block = {8}}, Ints(count.data()), Words(word.data())));
    EXPECT_EQ(count.download().value()[0], 96);
  });
}

// Threads wait, under a lock, until all of the grid have come: nobody ever polls in vain.
YOLOCU_KERNEL meet_under_lock(Ints count, Words word, int all) {
  bool has_come = false;
  for (;;) {
    testing::lock(word);
    if (!has_come) count.store(0, count.load(0) + 1);
    has_come = true;
    const bool is_over = count.load(0) == all;
    testing::unlock(word);
    if (is_over) return;
  }
}

TEST(BlockSync, BlocksThatFightForALockLetOthersBegin) {
  for_each_order(2, [](EmulatedDevice& device) {
    auto count = filled_buffer<int>(device, {0}, "count");
    auto word = zero_words(device, 1, "word");
    ASSERT_OK(device.launch(named_kernel("meet_under_lock", meet_under_lock), {.grid = {4}},
                            Ints(count.data()), Words(word.data()), 4));
    EXPECT_EQ(count.download().value()[0], 4);
  });
}

// x [rounds + 1, blocks, 32]: row r + 1 = row r + row r of the next block.
YOLOCU_KERNEL persistent_sums(Ints x, Words counts, uint32_t rounds) {
  const uint32_t rank = device::thread_rank(), block = testing::block_rank();
  const uint32_t blocks = testing::block_count(), row = blocks * 32;
  for (uint32_t round = 0; round < rounds; ++round) {
    const int own = x.load(round * row + block * 32 + rank);
    const int next = x.load(round * row + (block + 1) % blocks * 32 + rank);
    x.store((round + 1) * row + block * 32 + rank, own + next);
    testing::sync_grid(counts, round);
  }
}

TEST(BlockSync, APersistentKernelMeetsAtItsOwnBarrier) {
  for_each_order(10, [](EmulatedDevice& device) {
    constexpr int kBlocks = 16, kRounds = 4;
    std::vector<int> values((kRounds + 1) * kBlocks * 32);
    std::iota(values.begin(), values.begin() + kBlocks * 32, 0);
    auto x = filled_buffer(device, values, "x");
    auto counts = zero_words(device, 1, "counts");
    ASSERT_OK(device.launch(named_kernel("persistent_sums", persistent_sums),
                            {.grid = {kBlocks}, .block = {32}}, Ints(x.data()),
                            Words(counts.data()), kRounds));
    constexpr size_t kRow = kBlocks * 32;
    for (size_t i = 0; i + kRow < values.size(); ++i) {
      const size_t round = i / kRow, block = i / 32 % kBlocks;
      values[i + kRow] = values[i] + values[round * kRow + (block + 1) % kBlocks * 32 + i % 32];
    }
    EXPECT_EQ(x.download().value(), values);
  });
}

// Block b continues what block b - 1 did: data[b] = data[b - 1] + b.
YOLOCU_KERNEL chain(Ints data, Words flags) {
  const uint32_t rank = device::thread_rank(), block = testing::block_rank();
  if (rank != 0) return;
  int sum = 0;
  if (block > 0) {
    testing::wait_for_flag(flags, block - 1, 1);
    sum = data.load(block - 1);
  }
  data.store(block, sum + static_cast<int>(block));
  device::store_release(flags, block, 1);
}

// The order may start the first block last: all others wait until then.
TEST(BlockSync, AChainOfBlocksRunsInAnyOrder) {
  for_each_order(kSeeds, [](EmulatedDevice& device) {
    constexpr int kBlocks = 200;
    device.options().resident_blocks = kBlocks;
    auto data = make_buffer<int>(device, kBlocks, "data");
    auto flags = zero_words(device, kBlocks, "flags");
    ASSERT_OK(device.launch(named_kernel("chain", chain), {.grid = {kBlocks}, .block = {8}},
                            Ints(data.data()), Words(flags.data())));
    EXPECT_EQ(data.download().value().back(), kBlocks * (kBlocks - 1) / 2);
  });
}

// Polls all flags again and again, so that no two polls in a row are of one word.
YOLOCU_KERNEL wait_for_all(Ints out, Words flags) {
  const uint32_t block = testing::block_rank(), blocks = testing::block_count();
  if (block > 0) return device::store_release(flags, block, block);
  uint32_t sum = 0;
  while (sum != blocks * (blocks - 1) / 2) {
    sum = 0;
    for (uint32_t i = 1; i < blocks; ++i) sum += device::load_acquire(flags, i);
  }
  out.store(0, static_cast<int>(sum));
}

TEST(BlockSync, AThreadMayPollManyWords) {
  for_each_order(kSeeds, [](EmulatedDevice& device) {
    auto out = make_buffer<int>(device, 1, "out");
    auto flags = zero_words(device, 20, "flags");
    ASSERT_OK(device.launch(named_kernel("wait_for_all", wait_for_all), {.grid = {20}},
                            Ints(out.data()), Words(flags.data())));
    EXPECT_EQ(out.download().value()[0], 190);
  });
}

// A thread that looks at a word now and then does not wait for it.
YOLOCU_KERNEL look_often(Ints out, Words flag, int with_stores, int without) {
  int sum = 0;
  for (int i = 1; i <= with_stores; ++i) {
    sum += static_cast<int>(device::load_acquire(flag, 0));
    out.store(0, i + sum);
  }
  for (int i = 1; i <= without; ++i) sum += static_cast<int>(device::load_acquire(flag, 0));
  out.store(0, out.load(0) + without + sum);
}

TEST(BlockSync, RepeatedLoadsOfOneWordAreNoDeadlock) {
  for_each_order(1, [](EmulatedDevice& device) {
    auto out = make_buffer<int>(device, 1, "out");
    auto flag = zero_words(device, 1, "flag");
    ASSERT_OK(device.launch(named_kernel("look_often", look_often), {.grid = {1}}, Ints(out.data()),
                            Words(flag.data()), 20000, 500));
    EXPECT_EQ(out.download().value()[0], 20500);
  });
}

// All operations, from every thread at once; words [8].
YOLOCU_KERNEL update_all(GlobalPtr<int> words, GlobalPtr<float> sum) {
  const auto id = static_cast<int>(testing::block_rank() * 32 + device::thread_rank());
  device::atomic_add<Order::kAcquireRelease>(words, 0, -id);
  device::atomic_min<Order::kAcquire>(words, 1, -id);
  device::atomic_max<Order::kRelease>(words, 2, id);
  device::atomic_or<Order::kAcquireRelease>(words, 3, 1 << (id % 31));
  device::atomic_add(words, 4, device::atomic_exchange(words, 5, id));
  int old = device::atomic_add(words, 6, 0);
  for (;;) {
    const int seen = device::atomic_compare_exchange<Order::kAcquire>(words, 6, old, old + 2);
    if (seen == old) break;
    old = seen;
  }
  device::atomic_add<Order::kRelease>(sum, 0, 0.5f);
}

TEST(BlockSync, OperationsOfEveryOrderComputeWhatTheySay) {
  for_each_order(kSeeds, [](EmulatedDevice& device) {
    auto words = filled_buffer<int>(device, std::vector<int>(8), "words");
    auto sum = filled_buffer<float>(device, {1.0f}, "sum");
    ASSERT_OK(device.launch(named_kernel("update_all", update_all), {.grid = {8}, .block = {32}},
                            GlobalPtr(words.data()), GlobalPtr(sum.data())));
    const auto w = words.download().value();
    constexpr int kSum = 255 * 256 / 2;
    EXPECT_EQ(w[0], -kSum);
    EXPECT_EQ(w[1], -255);
    EXPECT_EQ(w[2], 255);
    EXPECT_EQ(w[3], 0x7FFFFFFF);
    EXPECT_EQ(w[4] + w[5], kSum) << "each value is given back once, but for the last";
    EXPECT_EQ(w[6], 512);
    EXPECT_EQ(sum.download().value()[0], 129.0f);
  });
}

TEST(BlockSync, OneSeedAndWorkerRepeatTheSameOrder) {
  const auto run = [](uint64_t seed) {
    EmulatedDevice device({.seed = seed});
    auto order = filled_buffer<int>(device, {0}, "order");
    auto word = zero_words(device, 1, "word");
    const auto kernel = +[](Ints text, Words guard) {
      testing::lock(guard);
      text.store(0, text.load(0) * 5 + static_cast<int>(testing::block_rank()));
      testing::unlock(guard);
    };
    EXPECT_TRUE(device
                    .launch(named_kernel("order", kernel), {.grid = {5}, .block = {2}},
                            Ints(order.data()), Words(word.data()))
                    .ok());
    return order.download().value()[0];
  };
  for (uint64_t seed = 1; seed <= 10; ++seed) EXPECT_EQ(run(seed), run(seed));
}

}  // namespace
}  // namespace yolocu
