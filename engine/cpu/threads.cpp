#include "engine/cpu/threads.h"

#include <unistd.h>

#include <chrono>
#include <exception>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace yolocu::cpu {
namespace {

// Longer than what lies between two loops of a picture, shorter than a time slice: on a busy
// machine that is all that a waiting worker wastes.
constexpr std::chrono::microseconds kSpin(100);
constexpr int kPausesAClockRead = 32;
using Clock = std::chrono::steady_clock;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

uint32_t loop_of(uint64_t ticket) {
  return static_cast<uint32_t>(ticket >> 32);
}

constexpr uint64_t kOneOfFront = 1;
constexpr uint64_t kOneOfBack = 1 << 16;
constexpr uint64_t kAllTaken = 0xFFFF;  // of the front

uint64_t make_ticket(uint32_t loop, uint64_t taken) {
  return static_cast<uint64_t>(loop) << 32 | taken;
}

int64_t taken_of_front(uint64_t ticket) {
  return static_cast<int64_t>(ticket & 0xFFFF);
}

int64_t taken_of_back(uint64_t ticket) {
  return static_cast<int64_t>(ticket >> 16 & 0xFFFF);
}

}  // namespace

Team::Team(int threads) : owner_(getpid()) {
  workers_.reserve(static_cast<size_t>(threads));
  for (int i = 1; i < threads; ++i) {
    try {
      workers_.emplace_back([this, i] { work(i); });
    } catch (const std::exception&) {
      return;  // pictures only take longer
    }
  }
}

Team::~Team() {
  if (getpid() != owner_) {
    // The handles may name threads that the child has made since: they are left alone, and leak.
    new std::vector<std::thread>(std::move(workers_));
    return;
  }
  ending_ = true;
  ++loop_;
  loop_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Team::run_job(int64_t count, Job job) {
  const uint32_t next = loop_of(ticket_.load()) + 2;
  ticket_.store(make_ticket(next - 1, kAllTaken));
  call_.store(job.call, std::memory_order_release);
  context_.store(job.context, std::memory_order_release);
  count_.store(count, std::memory_order_release);
  unfinished_.store(count, std::memory_order_relaxed);
  const uint64_t ticket = make_ticket(next, 0);
  ticket_.store(ticket);
  loop_.store(next);
  if (sleepers_.load() > 0) loop_.notify_all();
  take_chunks(ticket, 0);
  // What is left is in the hands of workers; if they do not get to run, others must be let.
  const auto start = Clock::now();
  const auto is_done = [&] { return unfinished_.load(std::memory_order_acquire) <= 0; };
  while (!is_done()) {
    for (int i = 0; i < kPausesAClockRead && !is_done(); ++i) pause();
    if (Clock::now() - start > kSpin) std::this_thread::yield();
  }
}

void Team::take_chunks(uint64_t ticket, int thread) {
  const uint32_t loop = loop_of(ticket);
  const bool from_front = thread % 2 == 0;
  while (true) {
    // Read before the chunk is taken: if taking succeeds, the loop was this one all the while, as
    // whoever sees a field of the next one sees its odd number, too.
    const auto call = call_.load(std::memory_order_acquire);
    const void* const context = context_.load(std::memory_order_acquire);
    const int64_t count = count_.load(std::memory_order_acquire);
    const int64_t front = taken_of_front(ticket);
    const int64_t back = taken_of_back(ticket);
    if (front + back >= count) return;
    if (ticket_.compare_exchange_weak(ticket, ticket + (from_front ? kOneOfFront : kOneOfBack))) {
      call(context, from_front ? front : count - 1 - back, thread);
      unfinished_.fetch_sub(1, std::memory_order_acq_rel);
      ticket = ticket_.load();
    }
    if (loop_of(ticket) != loop) return;
  }
}

uint64_t Team::wait_for_next(uint64_t seen) {
  const auto changed = [&] {
    const uint32_t loop = loop_of(ticket_.load());
    return (loop % 2 == 0 && loop != loop_of(seen)) || ending_;
  };
  for (const auto start = Clock::now(); Clock::now() - start < kSpin;) {
    for (int i = 0; i < kPausesAClockRead; ++i) {
      if (changed()) return ticket_.load();
      pause();
    }
  }
  const uint32_t slept_on = loop_.load();
  ++sleepers_;
  if (!changed()) loop_.wait(slept_on);
  --sleepers_;
  return ticket_.load();
}

void Team::work(int thread) {
  uint64_t seen = 0;
  while (!ending_) {
    const uint64_t ticket = wait_for_next(seen);
    if (loop_of(ticket) % 2 != 0) continue;  // ending, or the next loop is being prepared
    if (loop_of(ticket) != loop_of(seen)) take_chunks(ticket, thread);
    seen = ticket;
  }
}

}  // namespace yolocu::cpu
