// Random histories of a few threads: the shadow says what the definition of a race says.
#include <gtest/gtest.h>

#include "kernels/emulation/random.h"
#include "tests/kernels/emulation/global_shadow_support.h"
#include "tests/kernels/emulation/happens_before_oracle.h"

namespace yolocu {
namespace {

using emulation::GlobalAccess;
using emulation::GlobalShadow;
using emulation::Random;
using emulation::SyncOrder;
using testing::HappensBeforeOracle;
using testing::ThreadModel;

struct Kind {
  uint32_t clusters, threads;
  uint32_t accesses;  // at most, then the history ends
  uint32_t writes;    // of 8 accesses
  uint32_t sync;      // of 16 steps
  size_t granules;
  GlobalShadow::Sharing sharing;
};

struct Tally {
  int clean = 0, found = 0, forgotten = 0;
};

// One history in both.
class History {
 public:
  History(const Kind& kind, uint64_t seed)
      : kind_(kind),
        random_(seed),
        model_(kind.clusters, kind.threads),
        oracle_(model_.size()),
        shadow_(kind.granules * GlobalShadow::kGranule) {
    shadow_.set_sharing(kind.sharing);
  }

  // Up to the first race, or the end.
  void run(Tally& tally) {
    for (uint32_t accesses = 0; accesses < kind_.accesses;) {
      if (random_.below(16) < kind_.sync) {
        synchronise();
        continue;
      }
      ++accesses;
      const Verdict verdict = access();
      if (verdict == Verdict::kClean) continue;
      ++(verdict == Verdict::kFound ? tally.found : tally.forgotten);
      return;
    }
    ++tally.clean;
  }

 private:
  enum class Verdict { kClean, kFound, kForgotten };

  uint32_t thread() { return random_.below(static_cast<uint32_t>(model_.size())); }

  GlobalAccess pick_kind() {
    if (random_.below(8) >= kind_.writes) {
      return random_.below(6) == 0 ? GlobalAccess::kAtomicRead : GlobalAccess::kRead;
    }
    return random_.below(3) == 0 ? GlobalAccess::kAtomicUpdate : GlobalAccess::kWrite;
  }

  Verdict access() {
    const uint32_t t = thread();
    const GlobalAccess kind = pick_kind();
    const size_t bytes = kind_.granules * GlobalShadow::kGranule;
    const size_t size =
        random_.below(2) == 0 ? size_t{1} << random_.below(5) : 1 + random_.below(16);
    size_t offset = random_.below(static_cast<uint32_t>(bytes - size + 1));
    if (random_.below(2) == 0) offset = offset / size * size;
    const auto conflict = shadow_.access(model_.accessor(t), kind, offset, size, {});
    const auto expected = oracle_.access(t, kind, offset, size);
    if (expected.empty()) {
      EXPECT_FALSE(conflict) << "invented: byte " << conflict->byte;
      return Verdict::kClean;
    }
    if (conflict) {
      EXPECT_TRUE(is_one_of(*conflict, expected)) << "names an access that does not conflict";
      return Verdict::kFound;
    }
    for (const auto& old : expected) {
      EXPECT_TRUE(oracle_.may_be_forgotten(old))
          << "missed: thread " << old.thread << " at " << old.offset << "+" << old.size;
    }
    return Verdict::kForgotten;
  }

  bool is_one_of(const emulation::GlobalConflict& conflict,
                 const std::vector<HappensBeforeOracle::Access>& expected) {
    return std::any_of(expected.begin(), expected.end(), [&](const auto& old) {
      const bool has_byte = conflict.byte >= old.offset && conflict.byte < old.offset + old.size;
      if (conflict.epoch != oracle_.launch()) return old.launch != oracle_.launch();
      return has_byte && old.thread == conflict.cluster * kind_.threads + conflict.thread &&
             old.launch == conflict.epoch;
    });
  }

  void synchronise() {
    switch (random_.below(12)) {
      case 0: return random_.below(4) == 0 ? start_launch() : barrier();
      case 1:
      case 2: return barrier();
      case 3: return fence_thread();
      case 4: return wait();
      default: return use_word();
    }
  }

  void start_launch() {
    oracle_.start_launch(random_.below(2) == 0);
    model_.start_launch(oracle_.launch(), oracle_.first_in_chain());
  }
  void wait() {
    const uint32_t t = thread();
    model_.wait(t);
    oracle_.wait(t);
  }
  void barrier() {
    const uint32_t cluster = random_.below(kind_.clusters);
    model_.barrier(cluster);
    oracle_.barrier(cluster * kind_.threads, (cluster + 1) * kind_.threads);
  }
  void fence_thread() {
    const uint32_t t = thread();
    fence(model_.sync(t));
    oracle_.fence(t);
  }

  void use_word() {
    const uint32_t t = thread();
    const size_t word = random_.below(2);
    const auto order = static_cast<SyncOrder>(random_.below(4));
    const bool acquires = order == SyncOrder::kAcquire || order == SyncOrder::kAcquireRelease;
    const bool releases = order == SyncOrder::kRelease || order == SyncOrder::kAcquireRelease;
    switch (random_.below(3)) {
      case 0:
        atomic_load(*model_.variables, model_.sync(t), order, &words_[word]);
        return oracle_.load(t, word, acquires);
      case 1:
        atomic_store(*model_.variables, model_.sync(t), order, &words_[word], ++value_);
        return oracle_.store(t, word, releases);
      default:
        atomic_update(*model_.variables, model_.sync(t), order, &words_[word],
                      [this](uint32_t) { return std::optional<uint32_t>(++value_); });
        return oracle_.update(t, word, acquires, releases);
    }
  }

  Kind kind_;
  Random random_;
  ThreadModel model_;
  HappensBeforeOracle oracle_;
  GlobalShadow shadow_;
  std::array<uint32_t, 2> words_ = {};
  uint32_t value_ = 0;
};

Tally run_histories(const Kind& kind, int count) {
  Tally tally;
  for (int seed = 1; seed <= count && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "history " << seed);
    History(kind, static_cast<uint64_t>(seed)).run(tally);
  }
  return tally;
}

constexpr auto kOne = GlobalShadow::Sharing::kOneHostThread;
constexpr auto kMany = GlobalShadow::Sharing::kManyHostThreads;

TEST(GlobalShadowRandom, TwoAccesses) {
  for (const auto sharing : {kOne, kMany}) {
    const Tally tally = run_histories({2, 2, 2, 5, 12, 1, sharing}, 20000);
    EXPECT_EQ(tally.forgotten, 0);
    EXPECT_GT(tally.found, 1000);
    EXPECT_GT(tally.clean, 1000);
  }
}

TEST(GlobalShadowRandom, ManyAccessesOfFewThreads) {
  for (const auto sharing : {kOne, kMany}) {
    const Tally tally = run_histories({2, 1, 60, 1, 13, 2, sharing}, 5000);
    EXPECT_EQ(tally.forgotten, 0) << "two threads can both be remembered";
    EXPECT_GT(tally.found, 1000);
    EXPECT_GT(tally.clean, 10);
  }
}

TEST(GlobalShadowRandom, ManyAccessesOfManyThreads) {
  for (const auto sharing : {kOne, kMany}) {
    Tally tally;
    for (const uint32_t sync : {8u, 13u, 15u}) {
      for (const uint32_t writes : {1u, 4u}) {
        const Tally part = run_histories({4, 4, 80, writes, sync, 2, sharing}, 2000);
        tally.found += part.found;
        tally.forgotten += part.forgotten;
      }
    }
    EXPECT_GT(tally.found, 5000);
    EXPECT_LT(tally.forgotten * 50, tally.found) << "forgotten " << tally.forgotten;
  }
}

// Mostly reads, which pile up, with few writes that would notice.
TEST(GlobalShadowRandom, ManyReaders) {
  const Tally tally = run_histories({6, 4, 60, 0, 14, 1, kOne}, 1000);
  EXPECT_EQ(tally.found, 0);
  EXPECT_EQ(tally.clean, 1000);
}

}  // namespace
}  // namespace yolocu
