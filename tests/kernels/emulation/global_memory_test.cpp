// Accesses to emulated device memory as a kernel makes them: bounds, bytes never written, and what
// messages say of races.
#include "kernels/emulation/global_memory.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/kernels/emulation/global_shadow_support.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using emulation::GlobalAccess;
using emulation::GlobalAccessor;
using emulation::GlobalMemory;
using emulation::GlobalRequest;
using emulation::GlobalShadow;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class GlobalMemoryTest : public ::testing::Test {
 protected:
  std::byte* allocate(int64_t bytes, const std::string& name) {
    return static_cast<std::byte*>(memory.allocate(bytes, name).value());
  }
  std::byte* filled(int64_t bytes, const std::string& name) {
    std::byte* pointer = allocate(bytes, name);
    const std::vector<std::byte> zeros(static_cast<size_t>(bytes));
    EXPECT_TRUE(memory.upload(pointer, zeros.data(), bytes).ok());
    return pointer;
  }
  void begin(const emulation::LaunchShape& shape = {}) {
    launch = memory.begin_launch(shape);
    worker.emplace(memory);
  }
  GlobalAccessor thread(uint32_t cluster, uint32_t rank) {
    return {.epoch = launch.epoch,
            .cluster = cluster,
            .thread = rank,
            .clock = 1,
            .first_unfinished = launch.first_in_chain,
            .first_in_chain = launch.first_in_chain,
            .known = &nothing,
            .sites = &worker->sites()};
  }
  std::string check(const GlobalAccessor& by, GlobalAccess kind, const std::byte* address,
                    size_t size, CallSite site = CallSite::current()) {
    return memory.check(*worker, by, {kind, address, size, size, site});
  }

  GlobalMemory memory;
  emulation::LaunchEpoch launch;
  std::optional<GlobalMemory::Worker> worker;
  emulation::Clock nothing{1, std::vector<uint32_t>(emulation::AccessRecord::kMostThreads), {}};
};

TEST_F(GlobalMemoryTest, NamesBothSidesOfARace) {
  std::byte* y = allocate(1024, "y");
  begin({.kernel = "k", .grid = {4, 4, 2}, .block = {8, 2, 1}, .cluster = {2, 1, 1}});
  const CallSite site = CallSite::current();
  // Clusters are 2 x 4 x 2: number 13 is (1,2,1). Rank 21 is thread 5 of its block 1.
  EXPECT_EQ(check(thread(13, 21), GlobalAccess::kWrite, y + 512, 4, site), "");
  EXPECT_EQ(check(thread(3, 0), GlobalAccess::kWrite, y + 512, 16),
            "race on global memory: byte 512 of 'y' was written by block (3,2,1) thread (5,0,0) "
            "at tests/kernels/emulation/global_memory_test.cpp:" +
                std::to_string(site.line) + " and nothing orders this write after it");
  EXPECT_EQ(check(thread(0, 9), GlobalAccess::kRead, y + 516, 4),
            "global read of uninitialised memory: byte 516 of 'y'");
  memory.end_launch();
}

TEST_F(GlobalMemoryTest, NamesTheKindsOfAccess) {
  std::byte* y = filled(64, "y");
  begin();
  EXPECT_EQ(check(thread(0, 0), GlobalAccess::kRead, y, 4), "");
  EXPECT_PRED2(contains, check(thread(1, 0), GlobalAccess::kAtomicUpdate, y, 4),
               "byte 0 of 'y' was read by block");
  EXPECT_EQ(check(thread(0, 0), GlobalAccess::kAtomicUpdate, y + 8, 4), "");
  const std::string what = check(thread(1, 0), GlobalAccess::kRead, y + 8, 4);
  EXPECT_PRED2(contains, what, "was accessed atomically by");
  EXPECT_PRED2(contains, what, "orders this read after it");
  memory.end_launch();
}

TEST_F(GlobalMemoryTest, KnowsWhichBytesWereWritten) {
  std::byte* y = allocate(100, "y");
  const int64_t seven = 7;
  ASSERT_TRUE(memory.upload(y + 13, &seven, 8).ok());
  for (int64_t byte = 0; byte < 100; ++byte) {
    begin();
    const bool is_written = byte >= 13 && byte < 21;
    EXPECT_EQ(check(thread(0, 0), GlobalAccess::kRead, y + byte, 1).empty(), is_written) << byte;
    memory.end_launch();
  }
  begin();
  EXPECT_EQ(check(thread(0, 0), GlobalAccess::kAtomicWrite, y + 24, 4), "");
  EXPECT_EQ(check(thread(0, 0), GlobalAccess::kAtomicUpdate, y + 24, 4), "");
  EXPECT_PRED2(contains, check(thread(0, 0), GlobalAccess::kAtomicUpdate, y + 28, 4),
               "global atomic access of uninitialised memory: byte 28 of 'y'");
  EXPECT_PRED2(contains, check(thread(0, 0), GlobalAccess::kRead, y + 16, 16), "byte 21 of 'y'");
  memory.end_launch();
}

TEST_F(GlobalMemoryTest, BoundsOfSeveralAllocations) {
  std::vector<std::byte*> buffers;
  for (int i = 0; i < 9; ++i) buffers.push_back(filled(40 + i, "b" + std::to_string(i)));
  ASSERT_TRUE(memory.release(buffers[8]).ok());
  begin();
  const GlobalAccessor by = thread(0, 0);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 8; ++i) {
      const std::byte* b = buffers[static_cast<size_t>(i)];
      EXPECT_EQ(check(by, GlobalAccess::kRead, b + 39 + i, 1), "");
      EXPECT_EQ(check(by, GlobalAccess::kRead, b + 40 + i, 1),
                "global read out of bounds: 1 bytes at offset " + std::to_string(40 + i) +
                    " of 'b" + std::to_string(i) + "', which has " + std::to_string(40 + i));
      EXPECT_PRED2(contains, check(by, GlobalAccess::kWrite, b - 4, 4), "offset -4 of 'b");
      EXPECT_PRED2(contains, check(by, GlobalAccess::kWrite, b + 32, 16), "out of bounds: 16");
      EXPECT_PRED2(contains, check(by, GlobalAccess::kWrite, b + 2, 4), "misaligned global write");
    }
  }
  EXPECT_PRED2(contains, check(by, GlobalAccess::kRead, buffers[8], 4), "after it was released");
  memory.end_launch();
}

TEST_F(GlobalMemoryTest, DependentLaunchNamesTheOtherKernel) {
  std::byte* y = allocate(64, "y");
  begin({.kernel = "first"});
  EXPECT_EQ(check(thread(0, 0), GlobalAccess::kWrite, y, 16), "");
  memory.end_launch();
  begin({.kernel = "second", .start = StartRule::kOverlapPrevious});
  GlobalAccessor by = thread(0, 0);
  EXPECT_PRED2(contains, check(by, GlobalAccess::kRead, y, 4),
               "global read before wait_for_prior_grids: byte 0 of 'y' was written by "
               "kernel first at tests/");
  by.first_unfinished = by.epoch;
  EXPECT_EQ(check(by, GlobalAccess::kRead, y, 4), "");
  memory.end_launch();
}

// A copy waits for all launches before it; so does a launch that is not dependent.
TEST_F(GlobalMemoryTest, CopiesAndOrdinaryLaunchesEndAChain) {
  std::byte* y = filled(64, "y");
  for (const bool has_copy : {false, true}) {
    begin({.kernel = "first"});
    EXPECT_EQ(check(thread(0, 0), GlobalAccess::kWrite, y, 16), "");
    memory.end_launch();
    if (has_copy) {
      int word;
      ASSERT_TRUE(memory.download(&word, y, 4).ok());
    }
    begin({.kernel = "second", .start = StartRule::kOverlapPrevious});
    EXPECT_EQ(check(thread(0, 0), GlobalAccess::kRead, y, 4).empty(), has_copy);
    memory.end_launch();
    begin({.kernel = "third"});
    EXPECT_EQ(check(thread(0, 0), GlobalAccess::kRead, y, 4), "");
    memory.end_launch();
  }
}

TEST_F(GlobalMemoryTest, EpochsStartAgain) {
  std::byte* y = filled(64, "y");
  begin();
  EXPECT_EQ(check(thread(0, 0), GlobalAccess::kWrite, y, 16), "");
  memory.end_launch();
  const uint32_t before = launch.epoch;
  for (uint32_t i = 1; i < emulation::AccessRecord::kMostEpochs; ++i) {
    memory.begin_launch();
    memory.end_launch();
  }
  begin();
  EXPECT_EQ(launch.epoch, before) << "the number is used again";
  EXPECT_EQ(check(thread(1, 0), GlobalAccess::kWrite, y, 16), "");
  EXPECT_NE(check(thread(2, 0), GlobalAccess::kWrite, y, 16), "");
  memory.end_launch();
}

}  // namespace
}  // namespace yolocu
