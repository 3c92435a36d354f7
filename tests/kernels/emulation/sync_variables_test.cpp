// What acquires, releases and fences carry from cluster to cluster.
#include "kernels/emulation/sync_variables.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "kernels/emulation/random.h"
#include "tests/kernels/emulation/global_shadow_support.h"

namespace yolocu {
namespace {

using emulation::ForeignKnowledge;
using emulation::SyncOrder;
using testing::ThreadModel;

TEST(ForeignKnowledge, KnowsUpToTheClockAndNothingElse) {
  EXPECT_TRUE(ForeignKnowledge().empty());
  EXPECT_FALSE(ForeignKnowledge().knows(0, 0, 1));
  for (const uint32_t cluster : {0u, 1u, 15u, 16u, 255u, 256u, 70000u, UINT32_MAX}) {
    const ForeignKnowledge one(cluster, {3, 0, 7});
    EXPECT_TRUE(one.knows(cluster, 0, 3));
    EXPECT_FALSE(one.knows(cluster, 0, 4));
    EXPECT_FALSE(one.knows(cluster, 1, 1));
    EXPECT_TRUE(one.knows(cluster, 2, 7));
    EXPECT_FALSE(one.knows(cluster, 3, 1)) << "no such thread";
    EXPECT_FALSE(one.knows(cluster ^ 1, 0, 1));
    EXPECT_FALSE(one.knows(cluster ^ 0x10000, 0, 1));
  }
}

// Against a plain map: clusters close together, and all over.
TEST(ForeignKnowledge, MergesLikeAMap) {
  emulation::Random random(5);
  for (const uint32_t most : {3u, 40u, 5000u, UINT32_MAX}) {
    std::vector<ForeignKnowledge> values(4);
    std::vector<std::map<uint32_t, std::vector<uint32_t>>> expected(4);
    const auto learn = [&](size_t into, uint32_t cluster, const std::vector<uint32_t>& clocks) {
      auto& known = expected[into].try_emplace(cluster, clocks.size()).first->second;
      for (size_t i = 0; i < clocks.size(); ++i) known[i] = std::max(known[i], clocks[i]);
    };
    for (int step = 0; step < 300; ++step) {
      const uint32_t into = random.below(4), from = random.below(4);
      if (random.below(3) == 0) {
        values[into] = merge(values[into], values[from]);
        const auto copy = expected[from];
        for (const auto& [cluster, clocks] : copy) learn(into, cluster, clocks);
      } else {
        const uint32_t cluster = random.below(most);
        const std::vector<uint32_t> clocks = {random.below(9), random.below(9)};
        values[into] = merge(ForeignKnowledge(cluster, clocks), values[into]);
        learn(into, cluster, clocks);
      }
    }
    for (size_t i = 0; i < values.size(); ++i) {
      for (const auto& [cluster, clocks] : expected[i]) {
        ASSERT_NE(values[i].find(cluster), nullptr) << cluster;
        EXPECT_EQ(*values[i].find(cluster), clocks) << cluster;
      }
      for (int other = 0; other < 50; ++other) {
        const uint32_t cluster = random.below(most);
        EXPECT_EQ(values[i].find(cluster) != nullptr, expected[i].contains(cluster));
      }
    }
  }
}

uint32_t add_one(ThreadModel& model, uint32_t t, uint32_t& word, SyncOrder order) {
  return atomic_update(*model.variables, model.sync(t), order, &word,
                       [](uint32_t old) { return std::optional<uint32_t>(old + 1); });
}

// Whether what `from` has done by `clock` is ordered before what `to` does now.
bool knows(ThreadModel& model, uint32_t to, uint32_t from, uint32_t clock) {
  const auto by = model.accessor(to);
  const auto other = model.accessor(from);
  if (by.cluster == other.cluster) return clock <= by.known->known[other.thread];
  return by.foreign->knows(other.cluster, other.thread, clock);
}

TEST(SyncVariables, AcquireOfAReleaseOrders) {
  ThreadModel model(2, 1);
  uint32_t word = 0;
  atomic_store(*model.variables, model.sync(0), SyncOrder::kRelease, &word, 1);
  EXPECT_EQ(atomic_load(*model.variables, model.sync(1), SyncOrder::kAcquire, &word), 1u);
  EXPECT_TRUE(knows(model, 1, 0, 1));
  EXPECT_FALSE(knows(model, 1, 0, 2)) << "what comes after the release is not part of it";
}

TEST(SyncVariables, RelaxedEndsOrderNothing) {
  for (const auto& [store, load] : {std::pair(SyncOrder::kRelaxed, SyncOrder::kAcquire),
                                    std::pair(SyncOrder::kRelease, SyncOrder::kRelaxed)}) {
    ThreadModel model(2, 1);
    uint32_t word = 0;
    atomic_store(*model.variables, model.sync(0), store, &word, 1);
    atomic_load(*model.variables, model.sync(1), load, &word);
    EXPECT_FALSE(knows(model, 1, 0, 1));
  }
}

TEST(SyncVariables, FencesMakeRelaxedAtomicsOrder) {
  for (const bool has_release : {false, true}) {
    for (const bool has_acquire : {false, true}) {
      ThreadModel model(2, 1);
      uint32_t word = 0;
      if (has_release) fence(model.sync(0));
      add_one(model, 0, word, SyncOrder::kRelaxed);
      add_one(model, 1, word, SyncOrder::kRelaxed);
      if (has_acquire) fence(model.sync(1));
      EXPECT_EQ(knows(model, 1, 0, 1), has_release && has_acquire);
      EXPECT_FALSE(knows(model, 1, 0, 2)) << "only what came before the fence";
    }
  }
}

TEST(SyncVariables, FenceBeforeTheReadAcquiresNothing) {
  ThreadModel model(2, 1);
  uint32_t word = 0;
  atomic_store(*model.variables, model.sync(0), SyncOrder::kRelease, &word, 1);
  fence(model.sync(1));
  atomic_load(*model.variables, model.sync(1), SyncOrder::kRelaxed, &word);
  EXPECT_FALSE(knows(model, 1, 0, 1));
}

TEST(SyncVariables, ReadModifyWritesContinueARelease) {
  ThreadModel model(3, 1);
  uint32_t word = 0;
  add_one(model, 0, word, SyncOrder::kRelease);
  add_one(model, 1, word, SyncOrder::kRelaxed);
  EXPECT_EQ(add_one(model, 2, word, SyncOrder::kAcquire), 2u);
  EXPECT_TRUE(knows(model, 2, 0, 1));
  EXPECT_FALSE(knows(model, 2, 1, 1));
}

TEST(SyncVariables, StoresEndARelease) {
  for (const bool is_plain : {false, true}) {
    ThreadModel model(3, 1);
    uint32_t word = 0;
    add_one(model, 0, word, SyncOrder::kRelease);
    if (is_plain) {
      word = 9;
    } else {
      atomic_store(*model.variables, model.sync(1), SyncOrder::kRelaxed, &word, 9);
    }
    EXPECT_EQ(add_one(model, 2, word, SyncOrder::kAcquire), 9u);
    EXPECT_FALSE(knows(model, 2, 0, 1));
  }
}

TEST(SyncVariables, FailedExchangeStoresNothingAndStillAcquires) {
  ThreadModel model(3, 1);
  uint32_t word = 0;
  add_one(model, 0, word, SyncOrder::kRelease);
  const auto fail = [](uint32_t) { return std::optional<uint32_t>(); };
  EXPECT_EQ(atomic_update(*model.variables, model.sync(1), SyncOrder::kAcquireRelease, &word, fail),
            1u);
  EXPECT_TRUE(knows(model, 1, 0, 1));
  add_one(model, 2, word, SyncOrder::kAcquire);
  EXPECT_FALSE(knows(model, 2, 1, 1)) << "a load releases nothing";
}

// Cluster 0 -> word -> cluster 1 -> barrier -> its other thread -> word -> cluster 2.
TEST(SyncVariables, KnowledgeTravelsOverHopsAndBarriers) {
  ThreadModel model(3, 2);
  uint32_t first = 0, second = 0;
  add_one(model, 0, first, SyncOrder::kRelease);
  add_one(model, 2, first, SyncOrder::kAcquire);
  model.barrier(1);
  EXPECT_TRUE(knows(model, 3, 0, 1));
  add_one(model, 3, second, SyncOrder::kRelease);
  add_one(model, 4, second, SyncOrder::kAcquire);
  EXPECT_TRUE(knows(model, 4, 0, 1));
  EXPECT_TRUE(knows(model, 4, 2, 1)) << "before the barrier";
  EXPECT_FALSE(knows(model, 4, 1, 1)) << "the other thread of cluster 0 released nothing";
}

// A thread learns of its own cluster through another one.
TEST(SyncVariables, KnowledgeOfTheOwnClusterComesBack) {
  ThreadModel model(2, 2);
  uint32_t there = 0, back = 0;
  add_one(model, 0, there, SyncOrder::kRelease);
  add_one(model, 2, there, SyncOrder::kAcquire);
  add_one(model, 2, back, SyncOrder::kRelease);
  EXPECT_FALSE(knows(model, 1, 0, 1));
  add_one(model, 1, back, SyncOrder::kAcquire);
  EXPECT_TRUE(knows(model, 1, 0, 1));
  EXPECT_FALSE(knows(model, 1, 0, 2));
}

// What one thread fenced for the asynchronous proxy travels with its accesses.
TEST(SyncVariables, ReleaseHandsOnFencesOfTheAsyncProxy) {
  ThreadModel model(2, 2);
  uint32_t there = 0, back = 0;
  auto by = model.sync(0);
  by.fenced = 1;
  atomic_store(*model.variables, by, SyncOrder::kRelease, &there, 1);
  atomic_load(*model.variables, model.sync(2), SyncOrder::kAcquire, &there);
  atomic_store(*model.variables, model.sync(2), SyncOrder::kRelease, &back, 1);
  EXPECT_EQ(model.accessor(1).known->fenced(0), 0u);
  atomic_load(*model.variables, model.sync(1), SyncOrder::kAcquire, &back);
  EXPECT_EQ(model.accessor(1).known->fenced(0), 1u);
}

// Nothing new: threads go on sharing one vector.
TEST(SyncVariables, AcquireOfWhatIsKnownCopiesNothing) {
  ThreadModel model(2, 1);
  uint32_t word = 0;
  atomic_store(*model.variables, model.sync(0), SyncOrder::kRelease, &word, 1);
  const auto* before = model.accessor(1).known;
  atomic_load(*model.variables, model.sync(1), SyncOrder::kAcquire, &word);
  const auto* after = model.accessor(1).known;
  EXPECT_NE(before, after);
  atomic_load(*model.variables, model.sync(1), SyncOrder::kAcquire, &word);
  EXPECT_EQ(after, model.accessor(1).known);
}

// Each thread that sees n adds before its own knows of n threads: value and knowledge agree, also
// when several host threads add at once.
TEST(SyncVariables, ValueAndKnowledgeChangeTogether) {
  constexpr uint32_t kClusters = 3000;
  emulation::SyncVariables variables;
  uint32_t word = 0;
  std::array<std::vector<std::pair<uint32_t, uint32_t>>, 2> seen;  // adds before, clusters known
  const auto work = [&](uint32_t part) {
    for (uint32_t cluster = part; cluster < kClusters; cluster += 2) {
      const auto outcome =
          variables.update(&word, ForeignKnowledge(cluster, {1}),
                           [](uint32_t old) { return std::optional<uint32_t>(old + 1); });
      uint32_t known = 0;
      for (uint32_t c = 0; c < kClusters; ++c) known += outcome.found.knows(c, 0, 1) ? 1 : 0;
      seen[part].emplace_back(outcome.old, known);
    }
  };
  std::jthread other(work, 1);
  work(0);
  other.join();
  EXPECT_EQ(word, kClusters);
  for (const auto& part : seen) {
    ASSERT_EQ(part.size(), kClusters / 2);
    for (const auto& [adds, known] : part) EXPECT_EQ(adds, known);
  }
}

}  // namespace
}  // namespace yolocu
