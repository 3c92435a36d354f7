// Threads of the cpu device: oneDNN's and our own loops share OpenMP's.
#pragma once

#include <cstdint>

namespace yolocu::cpu {

// Processors that this process may use: its affinity mask, cut by the quota of its control group.
// At least 1.
int usable_processors();

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
