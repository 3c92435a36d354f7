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

}  // namespace

// The parts of a ticket.
struct Team::Ticket {
  static constexpr uint64_t kOneOfFront = 1;
  static constexpr uint64_t kOneOfBack = uint64_t{1} << kCountBits;
  static constexpr uint64_t kAllTaken = kMostChunks;  // of the front

  static uint64_t make(uint32_t loop, uint64_t taken) {
    return static_cast<uint64_t>(loop) << 2 * kCountBits | taken;
  }
  static uint32_t loop(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 2 * kCountBits); }
  static int64_t front(uint64_t ticket) { return static_cast<int64_t>(ticket & kAllTaken); }
  static int64_t back(uint64_t ticket) { return front(ticket >> kCountBits); }
};

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
  const uint32_t next = Ticket::loop(ticket_.load()) + 2;
  ticket_.store(Ticket::make(next - 1, Ticket::kAllTaken));
  call_.store(job.call, std::memory_order_release);
  context_.store(job.context, std::memory_order_release);
  count_.store(count, std::memory_order_release);
  unfinished_.store(count, std::memory_order_relaxed);
  const uint64_t ticket = Ticket::make(next, 0);
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
  const uint32_t loop = Ticket::loop(ticket);
  const bool from_front = thread % 2 == 0;
  while (true) {
    // Read before the chunk is taken: if taking succeeds, the loop was this one all the while, as
    // whoever sees a field of the next one sees its odd number, too.
    const auto call = call_.load(std::memory_order_acquire);
    const void* const context = context_.load(std::memory_order_acquire);
    const int64_t count = count_.load(std::memory_order_acquire);
    const int64_t front = Ticket::front(ticket);
    const int64_t back = Ticket::back(ticket);
    if (front + back >= count) return;
    if (ticket_.compare_exchange_weak(
            ticket, ticket + (from_front ? Ticket::kOneOfFront : Ticket::kOneOfBack))) {
      call(context, from_front ? front : count - 1 - back, thread);
      unfinished_.fetch_sub(1, std::memory_order_acq_rel);
      ticket = ticket_.load();
    }
    if (Ticket::loop(ticket) != loop) return;
  }
}

uint64_t Team::wait_for_next(uint64_t seen) {
  const auto changed = [&] {
    const uint32_t loop = Ticket::loop(ticket_.load());
    return (loop % 2 == 0 && loop != Ticket::loop(seen)) || ending_;
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
    if (Ticket::loop(ticket) % 2 != 0) continue;  // ending, or the next loop is being prepared
    if (Ticket::loop(ticket) != Ticket::loop(seen)) take_chunks(ticket, thread);
    seen = ticket;
  }
}

}  // namespace yolocu::cpu
