// Threads of the cpu device: oneDNN's and our own loops share OpenMP's.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

namespace yolocu::cpu {

// Parallel regions that the calling thread starts have `threads` threads until the end of the
// scope.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int previous_ = 1;
};

// Keeps barriers short on busy machines, for as long as somebody holds it; share() gives the one of
// the process. By default libgomp's threads spin 300,000 times at each of the hundred barriers of a
// picture before they sleep. If another process holds one of the processors, the spinning thread
// keeps the thread that it waits for from running: see README.md for what that costs. libgomp's
// manual says (GOMP_SPINCOUNT) that with more OpenMP threads than processors it spins 100 times; so
// this holds a team of sleeping threads, one more than there are processors. It stays empty where
// OMP_WAIT_POLICY or GOMP_SPINCOUNT is set (the user's choice), on machines of more than 64
// processors and where no thread can be made. OpenMP libraries other than libgomp ignore it.
class SleepingTeam {
 public:
  static std::shared_ptr<SleepingTeam> share();
  SleepingTeam();
  ~SleepingTeam();
  SleepingTeam(const SleepingTeam&) = delete;
  SleepingTeam& operator=(const SleepingTeam&) = delete;

 private:
  void sleep(int threads);

  const pid_t owner_;  // threads do not survive a fork
  std::mutex mutex_;
  std::condition_variable end_;
  bool ending_ = false;
  std::thread leader_;
};

// body(i) for 0 <= i < count, spread over the threads of the scope. The calls must not depend on
// each other and must not throw.
template <typename Body>
void parallel_for(int64_t count, const Body& body) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) body(i);
}

// The same for calls that take very different times.
template <typename Body>
void parallel_tasks(int64_t count, const Body& body) {
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < count; ++i) body(i);
}

}  // namespace yolocu::cpu
