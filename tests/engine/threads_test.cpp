// How many threads, and the team that keeps libgomp's barriers short.
#include "engine/cpu/threads.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>

#include "engine/processors.h"

namespace yolocu {
namespace {

int64_t thread_count() {
  const auto tasks = std::filesystem::directory_iterator("/proc/self/task");
  return std::distance(std::filesystem::begin(tasks), std::filesystem::end(tasks));
}

TEST(SleepingTeam, LivesAsLongAsSomebodyHoldsIt) {
  if (getenv("OMP_WAIT_POLICY") != nullptr || getenv("GOMP_SPINCOUNT") != nullptr) {
    GTEST_SKIP() << "the environment chooses how OpenMP waits";
  }
  const int64_t before = thread_count();
  auto first = cpu::SleepingTeam::share();
  auto second = cpu::SleepingTeam::share();
  EXPECT_EQ(first, second);
  first.reset();
  EXPECT_GT(thread_count(), before);
  const std::weak_ptr<cpu::SleepingTeam> watch = second;
  second.reset();
  EXPECT_TRUE(watch.expired());
}

TEST(SleepingTeam, TheUsersChoiceLeavesItEmpty) {
  if (getenv("GOMP_SPINCOUNT") != nullptr) GTEST_SKIP() << "GOMP_SPINCOUNT is set";
  setenv("GOMP_SPINCOUNT", "1000", 0);
  const int64_t before = thread_count();
  {
    const cpu::SleepingTeam team;
    EXPECT_EQ(thread_count(), before);
  }
  unsetenv("GOMP_SPINCOUNT");
}

TEST(Threads, MoreThanUsableProcessorsAreNotUsed) {
  EXPECT_EQ(choose_threads(0), usable_processors());
  EXPECT_EQ(choose_threads(1), 1);
  EXPECT_EQ(choose_threads(1'000'000), usable_processors());
}

}  // namespace
}  // namespace yolocu
