// The threads of one executor.
//
// A picture passes through a hundred loops of some tens of microseconds. Threads that sleep between
// them wake too late; threads that spin, and wait for each other at every barrier, stand still for
// whole time slices when another process has one of their processors. Here the caller and its
// workers take chunks of each loop as they come: a worker that is kept from running delays nothing
// but the chunk that it holds. Workers spin for a moment after each loop, then sleep.
//
// Threads of even numbers take chunks from the front, the others from the back: of two threads each
// finds most of what it reads in its own cache, where it wrote it in the loop before.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace yolocu::cpu {

class Team {
 public:
  // threads >= 1, the caller of run() included. Fewer if the system refuses to make more.
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // body(i, thread) for 0 <= i < count, 0 <= thread < threads(), in any order; no two calls with
  // one thread number at a time. Returns when all are done. Calls must not depend on each other,
  // throw or call run(). One caller at a time.
  template <typename Body>
  void run(int64_t count, const Body& body) {
    if (count <= 1 || workers_.empty()) {
      for (int64_t i = 0; i < count; ++i) body(i, 0);
      return;
    }
    struct Part {
      const Body& body;
      int64_t begin;
    };
    for (int64_t begin = 0; begin < count; begin += kMostChunks) {
      const Part part{body, begin};
      run_job(std::min(kMostChunks, count - begin),
              {[](const void* context, int64_t i, int thread) {
                 const Part& p = *static_cast<const Part*>(context);
                 p.body(p.begin + i, thread);
               },
               &part});
    }
  }

 private:
  static constexpr int kCountBits = 16;  // of a ticket, for each end
  static constexpr int64_t kMostChunks = (1 << kCountBits) - 1;

  struct Ticket;
  struct Job {
    void (*call)(const void* context, int64_t i, int thread) = nullptr;
    const void* context = nullptr;
  };

  void run_job(int64_t count, Job job);
  void work(int thread);
  // Takes chunks of the loop that `ticket` belongs to until there are none.
  void take_chunks(uint64_t ticket, int thread);
  uint64_t wait_for_next(uint64_t seen);

  std::vector<std::thread> workers_;
  const pid_t owner_;  // threads do not survive a fork; the child works alone
  // The number of the loop in the upper half; in the lower one how many of its chunks are taken, of
  // the back and of the front. A chunk is taken by adding 1 to either. The number changes only when
  // all chunks of the loop before are done: first to an odd one, while the fields below are
  // written, then to an even one.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  std::atomic<decltype(Job::call)> call_{nullptr};
  std::atomic<const void*> context_{nullptr};
  std::atomic<int64_t> count_{0};
  alignas(64) std::atomic<int64_t> unfinished_{0};
  alignas(64) std::atomic<uint32_t> loop_{0};  // what sleeping workers wait on
  std::atomic<int> sleepers_{0};
  std::atomic<bool> ending_{false};
};

}  // namespace yolocu::cpu
