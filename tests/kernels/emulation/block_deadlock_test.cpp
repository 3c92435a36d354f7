// Blocks that wait for what never comes, or for blocks that have no room.
#include <chrono>

#include "tests/kernels/emulation/sync_kernels.h"

namespace yolocu {
namespace {

using emulation::EmulatedDevice;
using testing::Ints;
using testing::make_buffer;
using testing::Words;
using testing::zero_words;

// Blocks 0 and 1 each wait for the other's flag before they set their own.
YOLOCU_KERNEL wait_crosswise(Words flags) {
  const uint32_t block = testing::block_rank();
  if (block < 2) {
    if (device::thread_rank() == 0) testing::wait_for_flag(flags, 1 - block, 7);
    device::sync_block();
    device::store_release(flags, block, 7);
  }
}

class BlockDeadlock : public ::testing::TestWithParam<int> {
 protected:
  EmulatedDevice device{{.seed = 3, .workers = GetParam()}};
};

TEST_P(BlockDeadlock, NamesTheWordsAndWhoWaits) {
  auto flags = zero_words(device, 4, "flags");
  const auto begin = std::chrono::steady_clock::now();
  const Status status = device.launch(named_kernel("wait_crosswise", wait_crosswise),
                                      {.grid = {6}, .block = {64}}, Words(flags.data()));
  const auto time = std::chrono::steady_clock::now() - begin;
  for (const char* part :
       {"kernel wait_crosswise, block (", "deadlock, no thread can run: ", "block (0,0,0): ",
        "block (1,0,0): ", "1 threads (0) poll byte 4 of 'flags', which is 0, ",
        "1 threads (0) poll byte 0 of 'flags', which is 0, ",
        "sync_kernels.h:", "63 threads (1,2,3,4,5,6,7,8,..) wait at barrier 0 (63 of 64 came), "}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << part << ": " << status.message();
  }
  EXPECT_EQ(status.message().find("block (2,0,0)"), std::string::npos) << "it has ended";
  EXPECT_EQ(status.message().find("not resident"), std::string::npos) << status.message();
  EXPECT_LT(std::chrono::duration<double>(time).count(), 1.0);
}

// A wait of a single block is reported as well, and the device goes on.
TEST_P(BlockDeadlock, OfOneBlockEndsToo) {
  auto flags = zero_words(device, 4, "flags");
  const auto wait_for_nothing = +[](Words words) {
    while (device::atomic_compare_exchange(words, 0, 5u, 6u) != 5) {
    }
  };
  const Status status = device.launch(named_kernel("wait_for_nothing", wait_for_nothing),
                                      {.block = {32}}, Words(flags.data()));
  EXPECT_NE(status.message().find("32 threads (0,1,2,3,4,5,6,7,..) poll byte 0 of 'flags'"),
            std::string::npos)
      << status.message();
  EXPECT_EQ(device.launch(named_kernel("again", wait_for_nothing), {}, Words(flags.data())).code(),
            StatusCode::kUnavailable);
}

YOLOCU_KERNEL meet_all(Words counts) {
  testing::sync_grid(counts, 0);
}

TEST_P(BlockDeadlock, SaysThatBlocksAreNotResident) {
  device.options().resident_blocks = 3;
  for (const int64_t blocks : {3 * GetParam(), 3 * GetParam() + 4}) {
    auto counts = zero_words(device, 1, "counts");
    const Status status = device.launch(named_kernel("meet_all", meet_all),
                                        {.grid = {blocks}, .block = {32}}, Words(counts.data()));
    if (blocks == 3 * GetParam()) {
      ASSERT_OK(status);
      continue;
    }
    for (const std::string& part :
         {std::string("poll byte 0 of 'counts', which is "),
          "; 4 blocks are not resident; the kernel needs more than workers x resident_blocks = " +
              std::to_string(GetParam()) + " x 3"}) {
      EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
    }
  }
}

// An error of one block ends those that wait for it, and what is on their stacks.
YOLOCU_KERNEL fail_while_others_wait(Words flags, Ints missing) {
  const std::vector<int> heap(100, 1);
  if (testing::block_rank() == 0) {
    missing.store(0, 1);
  } else {
    testing::wait_for_flag(flags, 0, 1);
  }
}

TEST_P(BlockDeadlock, AnErrorEndsBlocksThatWait) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    device.options().seed = seed;
    auto flags = zero_words(device, 1, "flags");
    const Status status =
        device.launch(named_kernel("fail_while_others_wait", fail_while_others_wait),
                      {.grid = {8}, .block = {8}}, Words(flags.data()), Ints());
    EXPECT_NE(status.message().find("in no allocation"), std::string::npos) << status.message();
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, BlockDeadlock, ::testing::Values(1, 2));

}  // namespace
}  // namespace yolocu
