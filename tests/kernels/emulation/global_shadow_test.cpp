// The rules of the global shadow, one by one.
#include "kernels/emulation/global_shadow.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/kernels/emulation/global_shadow_support.h"

namespace yolocu {
namespace {

using emulation::GlobalAccess;
using emulation::GlobalConflict;
using emulation::GlobalShadow;
using emulation::SyncOrder;
using testing::ThreadModel;

// Two clusters of four threads (0..3, 4..7) and four of one (see `many`), and 64 granules.
class GlobalShadowTest : public ::testing::TestWithParam<GlobalShadow::Sharing> {
 protected:
  GlobalShadowTest() { shadow.set_sharing(GetParam()); }

  std::optional<GlobalConflict> access(uint32_t t, GlobalAccess kind, size_t offset,
                                       size_t size = 16, CallSite site = CallSite::current()) {
    return shadow.access(model.accessor(t), kind, offset, size, site);
  }
  bool read(uint32_t t, size_t offset = 0, size_t size = 16) {
    return !access(t, GlobalAccess::kRead, offset, size);
  }
  bool write(uint32_t t, size_t offset = 0, size_t size = 16) {
    return !access(t, GlobalAccess::kWrite, offset, size);
  }
  // All that thread `from` did is ordered before all that `to` does.
  void pass(uint32_t from, uint32_t to) {
    atomic_store(*model.variables, model.sync(from), SyncOrder::kRelease, &word, word + 1);
    atomic_load(*model.variables, model.sync(to), SyncOrder::kAcquire, &word);
  }

  ThreadModel model{8, 4};
  GlobalShadow shadow{1024};
  uint32_t word = 0;
};

TEST_P(GlobalShadowTest, AThreadDoesNotRaceWithItself) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(write(0));
    EXPECT_TRUE(read(0));
    EXPECT_TRUE(write(0, 3, 1));
    EXPECT_TRUE(read(0, 2, 4));
  }
}

TEST_P(GlobalShadowTest, ThreadsOfOneClusterNeedABarrier) {
  EXPECT_TRUE(write(0));
  EXPECT_FALSE(read(1));
  model.barrier(0);
  EXPECT_TRUE(read(1));
  EXPECT_FALSE(write(2));
  model.barrier(0);
  EXPECT_TRUE(write(2));
  EXPECT_FALSE(write(3));
}

TEST_P(GlobalShadowTest, ClustersNeedAReleaseAndAnAcquire) {
  EXPECT_TRUE(write(0));
  EXPECT_FALSE(write(4));
  EXPECT_FALSE(read(4));
  pass(0, 4);
  EXPECT_TRUE(read(4));
  EXPECT_FALSE(write(0)) << "the read in cluster 1";
  pass(4, 0);
  EXPECT_TRUE(write(0));
}

TEST_P(GlobalShadowTest, ABarrierOrdersOneClusterOnly) {
  EXPECT_TRUE(write(0));
  model.barrier(0);
  model.barrier(1);
  EXPECT_FALSE(read(4));
}

TEST_P(GlobalShadowTest, ReadsDoNotRace) {
  for (uint32_t t = 0; t < 32; ++t) EXPECT_TRUE(read(t));
  EXPECT_FALSE(write(0)) << "others have read";
}

TEST_P(GlobalShadowTest, TwoReadersAreRemembered) {
  EXPECT_TRUE(read(0));
  EXPECT_TRUE(read(4));
  pass(4, 8);
  EXPECT_FALSE(write(8)) << "thread 0 is not ordered before";
  pass(0, 8);
  EXPECT_TRUE(write(8));
}

// Readers of two clusters are kept even if one cluster had read twice before.
TEST_P(GlobalShadowTest, ReadersOfDistinctClustersArePreferred) {
  EXPECT_TRUE(read(0));
  EXPECT_TRUE(read(1));
  EXPECT_TRUE(read(4));
  model.barrier(0);
  EXPECT_FALSE(write(0));
  EXPECT_EQ(access(0, GlobalAccess::kWrite, 0)->cluster, 1u);
}

TEST_P(GlobalShadowTest, OrderOverTwoHops) {
  EXPECT_TRUE(write(0));
  pass(0, 4);
  model.barrier(1);
  pass(5, 8);
  EXPECT_TRUE(write(8));
}

TEST_P(GlobalShadowTest, AtomicsRaceOnlyWithOthers) {
  const auto is_fine = [&](uint32_t t, GlobalAccess kind) { return !access(t, kind, 0, 4); };
  for (const uint32_t t : {0u, 4u, 8u, 12u}) {
    EXPECT_TRUE(is_fine(t, GlobalAccess::kAtomicUpdate));
    EXPECT_TRUE(is_fine(t, GlobalAccess::kAtomicRead));
    EXPECT_TRUE(is_fine(t, GlobalAccess::kAtomicWrite));
  }
  EXPECT_FALSE(is_fine(16, GlobalAccess::kRead));
  EXPECT_FALSE(is_fine(16, GlobalAccess::kWrite));
  EXPECT_TRUE(read(16, 4, 4)) << "other bytes";
}

TEST_P(GlobalShadowTest, AtomicReadsAreReads) {
  EXPECT_FALSE(access(0, GlobalAccess::kAtomicRead, 0, 4));
  EXPECT_TRUE(read(4, 0, 4));
  EXPECT_FALSE(write(8, 0, 4));
}

// Block 0 sets a counter to 0 and adds to it after its barrier; block 1 adds without waiting.
TEST_P(GlobalShadowTest, AnAtomicDoesNotHideAPlainWriteFromAtomics) {
  EXPECT_TRUE(write(0, 0, 4));
  model.barrier(0);
  EXPECT_FALSE(access(1, GlobalAccess::kAtomicUpdate, 0, 4));
  EXPECT_TRUE(access(4, GlobalAccess::kAtomicUpdate, 0, 4));
}

TEST_P(GlobalShadowTest, NeighboursInOneGranule) {
  for (uint32_t t = 0; t < 16; ++t) EXPECT_TRUE(write(t, t, 1)) << t;
  for (uint32_t t = 0; t < 16; ++t) {
    EXPECT_TRUE(read(t, t, 1));
    const auto conflict = access(31, GlobalAccess::kRead, t, 1);
    ASSERT_TRUE(conflict);
    EXPECT_EQ(conflict->byte, t);
    EXPECT_EQ(conflict->cluster * 4 + conflict->thread, t);
  }
  EXPECT_FALSE(write(5, 4, 4));
  model.start_launch();
  EXPECT_TRUE(write(31));
  EXPECT_FALSE(read(0, 15, 1));
}

TEST_P(GlobalShadowTest, EverySpan) {
  for (size_t offset = 0; offset < 20; ++offset) {
    for (size_t size = 1; size <= 16; ++size) {
      model.start_launch();
      EXPECT_TRUE(write(0, offset, size));
      for (size_t byte = 0; byte < 40; ++byte) {
        const bool is_inside = byte >= offset && byte < offset + size;
        const auto conflict = access(4, GlobalAccess::kRead, byte, 1);
        EXPECT_EQ(conflict.has_value(), is_inside) << offset << "+" << size << " at " << byte;
        EXPECT_EQ(conflict ? conflict->byte : byte, byte);
      }
    }
  }
}

TEST_P(GlobalShadowTest, LongSpansNameTheByte) {
  EXPECT_TRUE(write(0, 515, 1));
  const auto conflict = access(4, GlobalAccess::kWrite, 7, 1000);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->byte, 515u);
}

TEST_P(GlobalShadowTest, SaysWhoAndWhere) {
  const CallSite site = CallSite::current();
  access(6, GlobalAccess::kWrite, 32, 8, site);
  const auto conflict = access(1, GlobalAccess::kRead, 36, 4);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->byte, 36u);
  EXPECT_EQ(conflict->epoch, 1u);
  EXPECT_EQ(conflict->cluster, 1u);
  EXPECT_EQ(conflict->thread, 2u);
  EXPECT_TRUE(conflict->writes);
  EXPECT_FALSE(conflict->atomic);
  EXPECT_EQ(model.site_table.site(conflict->site).line, site.line);
}

TEST_P(GlobalShadowTest, ANewLaunchForgets) {
  EXPECT_TRUE(write(0));
  EXPECT_TRUE(read(0, 16));
  model.start_launch();
  EXPECT_TRUE(write(4));
  EXPECT_TRUE(write(4, 16));
  EXPECT_FALSE(write(0));
}

TEST_P(GlobalShadowTest, ClearForgets) {
  for (uint32_t t = 0; t < 16; ++t) EXPECT_TRUE(write(t, t, 1));
  EXPECT_TRUE(shadow.clear());
  EXPECT_TRUE(write(31));
}

TEST_P(GlobalShadowTest, DependentLaunchWaits) {
  EXPECT_TRUE(write(0, 0));
  EXPECT_TRUE(read(0, 16));
  model.start_launch(2, 1);
  EXPECT_FALSE(read(4, 0)) << "written before";
  EXPECT_FALSE(write(4, 0));
  EXPECT_TRUE(read(4, 16)) << "both read";
  EXPECT_FALSE(write(4, 16)) << "read before";
  EXPECT_TRUE(write(4, 32)) << "nobody's";
  model.wait(4);
  EXPECT_TRUE(read(4, 0));
  EXPECT_TRUE(write(4, 0));
  EXPECT_TRUE(write(4, 16));
  EXPECT_FALSE(read(5, 0)) << "of this launch now";
}

// Reads of a launch do not make the earlier write forgotten that they waited for.
TEST_P(GlobalShadowTest, DependentLaunchWaitsInEveryThread) {
  for (uint32_t lane = 0; lane < 8; ++lane) EXPECT_TRUE(write(lane, lane * 2, 2));
  model.start_launch(2, 1);
  for (uint32_t t = 4; t < 8; ++t) {
    model.wait(t);
    EXPECT_TRUE(read(t));
  }
  EXPECT_FALSE(read(0));
  EXPECT_FALSE(read(0, 7, 1));
  model.wait(0);
  EXPECT_TRUE(read(0));
}

// Launch 3 may begin before launch 2 has waited for launch 1.
TEST_P(GlobalShadowTest, DependentLaunchesFormAChain) {
  EXPECT_TRUE(write(0, 0));
  model.start_launch(2, 1);
  EXPECT_TRUE(write(0, 16));
  model.start_launch(3, 1);
  EXPECT_FALSE(read(0, 0));
  EXPECT_FALSE(read(0, 16));
  model.start_launch(4, 4);
  EXPECT_TRUE(read(0, 0));
  EXPECT_TRUE(write(0, 16));
}

// Two host threads read and write the same granules: what is ordered stays without alarm.
TEST(GlobalShadowThreads, OrderedAccessesRaiseNoAlarm) {
  GlobalShadow shadow(1024);
  std::atomic<int> alarms = 0;
  const auto work = [&](uint32_t worker) {
    ThreadModel model(1, 16);
    for (uint32_t round = 0; round < 2000; ++round) {
      for (uint32_t t = 0; t < 16; ++t) {
        auto by = model.accessor(t);
        by.cluster = 2 * round + worker;
        by.foreign = nullptr;
        // Bytes 0..7 of each granule are worker 0's, 8..15 worker 1's; [512, 1024) is read by all.
        const size_t own = t * 16 + worker * 8;
        if (round == 0 && shadow.access(by, GlobalAccess::kWrite, own, 8, {})) ++alarms;
        if (shadow.access(by, GlobalAccess::kRead, 512 + t * 32, 32, {})) ++alarms;
        if (shadow.access(by, GlobalAccess::kRead, 512 + t * 16 + round % 13, 3, {})) ++alarms;
      }
    }
  };
  std::jthread other(work, 1);
  work(0);
  other.join();
  EXPECT_EQ(alarms, 0);
  ThreadModel model(1, 1);
  auto by = model.accessor(0);
  by.cluster = 1000000;
  for (size_t granule = 0; granule < 64; ++granule) {
    const bool is_used = granule < 16 || granule >= 32;
    EXPECT_EQ(shadow.access(by, GlobalAccess::kWrite, granule * 16, 16, {}).has_value(), is_used);
  }
}

INSTANTIATE_TEST_SUITE_P(Sharing, GlobalShadowTest,
                         ::testing::Values(GlobalShadow::Sharing::kOneHostThread,
                                           GlobalShadow::Sharing::kManyHostThreads));

}  // namespace
}  // namespace yolocu
