// How many threads, and the team that shares the chunks of a loop.
#include "engine/cpu/threads.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "engine/processors.h"

namespace yolocu {
namespace {

using cpu::Team;

// Every chunk of every loop once, each thread number by one thread at a time.
void check_loops(Team& team, int64_t loops, int64_t count) {
  std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
  std::vector<std::atomic<int>> busy(static_cast<size_t>(team.threads()));
  std::atomic<int> clashes{0};
  for (int64_t loop = 0; loop < loops; ++loop) {
    team.run(count, [&](int64_t i, int thread) {
      if (busy[static_cast<size_t>(thread)].exchange(1) != 0) ++clashes;
      ++calls[static_cast<size_t>(i)];
      busy[static_cast<size_t>(thread)] = 0;
    });
    for (const std::atomic<int>& n : calls) ASSERT_EQ(n, loop + 1);
  }
  EXPECT_EQ(clashes, 0);
}

TEST(Team, RunsEveryChunkOnce) {
  for (const int threads : {1, 2, 5}) {
    Team team(threads);
    EXPECT_EQ(team.threads(), threads);
    for (const int64_t count : {1, 2, 3, 100}) check_loops(team, 2000 / count, count);
  }
}

TEST(Team, RunsMoreChunksThanATicketCounts) {
  for (const int threads : {1, 2, 3}) {
    Team team(threads);
    for (const int64_t count : {0xFFFE, 0xFFFF, 0x10000, 0x10001, 200000}) {
      check_loops(team, 2, count);
    }
  }
}

// Of two threads, the caller takes the first ones, and the worker the last.
TEST(Team, TwoThreadsBeginAtBothEnds) {
  Team team(2);
  if (team.threads() < 2) GTEST_SKIP() << "the system makes no second thread";
  for (const int64_t count : {2, 3, 50}) {
    std::vector<int> threads(static_cast<size_t>(count), -1);
    std::atomic<int> arrived{0};
    team.run(count, [&](int64_t i, int thread) {
      threads[static_cast<size_t>(i)] = thread;
      ++arrived;
      while (arrived < 2) std::this_thread::yield();  // until both threads have come
    });
    EXPECT_EQ(threads.front(), 0) << count;
    EXPECT_EQ(threads.back(), 1) << count;
    EXPECT_TRUE(std::is_sorted(threads.begin(), threads.end())) << count;
  }
}

TEST(Team, LoopsOfNoChunksDoNothing) {
  Team team(2);
  team.run(0, [](int64_t, int) { FAIL(); });
}

TEST(Team, ResultsOfALoopAreSeenByTheNext) {
  Team team(3);
  std::vector<int64_t> values(64, 0);
  for (int64_t loop = 0; loop < 3000; ++loop) {
    team.run(64, [&](int64_t i, int) {
      const auto from = static_cast<size_t>((i + loop) % 64);
      if (loop % 2 == 0) values[from] += 1;
    });
  }
  for (const int64_t value : values) EXPECT_EQ(value, 1500);
}

TEST(Team, WakesWorkersThatSleep) {
  Team team(2);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than workers spin
    std::atomic<int> arrived{0};
    // Passes only if two threads are in the loop at once.
    team.run(2, [&](int64_t, int) {
      ++arrived;
      while (arrived < 2) std::this_thread::yield();
    });
    EXPECT_EQ(arrived, 2);
  }
}

// Returns when the worker has worked and sleeps. Before that it may hold a lock of the allocator as
// it starts, which AddressSanitizer's child of a fork would wait for.
void let_worker_sleep(Team& team) {
  std::atomic<int> present{0};
  team.run(2, [&](int64_t, int) {
    ++present;
    while (present < 2) std::this_thread::yield();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

TEST(Team, AChildOfAForkWorksAlone) {
  Team team(2);
  if (team.threads() < 2) GTEST_SKIP() << "the system makes no second thread";
  check_loops(team, 10, 10);
  let_worker_sleep(team);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::atomic<int64_t> sum{0};
    team.run(100, [&](int64_t i, int) { sum += i; });
    {
      // Threads of its own may get the handles of those that the fork left behind.
      auto left = std::make_unique<Team>(2);
      Team own(2);
      left.reset();
      own.run(100, [&](int64_t i, int) { sum += i; });
    }
    team.~Team();
    _exit(sum == 2 * 4950 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Threads, MoreThanUsableProcessorsAreNotUsed) {
  EXPECT_EQ(choose_threads(0), usable_processors());
  EXPECT_EQ(choose_threads(1), 1);
  EXPECT_EQ(choose_threads(1'000'000), usable_processors());
}

}  // namespace
}  // namespace yolocu
