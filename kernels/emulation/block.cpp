#include "kernels/emulation/block.h"

#include <bit>
#include <map>
#include <memory>

#include "engine/base/str_cat.h"

namespace yolocu::emulation {
namespace {

constexpr uint32_t kLanes = 32;
// A warp goes on until it waits, but for 1 in this many choices: real warps overlap.
constexpr uint32_t kChoicesPerWarpChange = 16;
// A thread is preempted after 1 to this many memory accesses.
constexpr uint32_t kMostAccessesPerTurn = 256;
constexpr size_t kThreadsNamed = 8;  // of a kind, in a deadlock's report
constexpr int kPoison = 0xFF;        // NaN in every float type

thread_local Thread* running_thread = nullptr;

size_t thread_count_of(const Launch& launch) {
  return size_t{launch.block.x} * launch.block.y * launch.block.z;
}

Index3 index_of(uint32_t rank, const Index3& extent) {
  return {rank % extent.x, rank / extent.x % extent.y, rank / extent.x / extent.y};
}

}  // namespace

Block::Block(const Launch& shared_launch, const StackPool& stacks)
    : launch(shared_launch),
      threads(thread_count_of(launch)),
      warps((threads.size() + kLanes - 1) / kLanes),
      shared(launch.shared_bytes),
      shadow(launch.shared_bytes),
      stacks_(stacks),
      random_(0),
      started_(threads.size()) {
  clocks.set_threads(threads.size());
  for (uint32_t i = 0; i < threads.size(); ++i) {
    threads[i].block = this;
    threads[i].rank = i;
    threads[i].index = index_of(i, launch.block);
    warps[i / kLanes].lanes |= 1u << (i % kLanes);
  }
}

Thread* Block::current() {
  return running_thread;
}

void Block::reset(Index3 block_index, uint64_t seed) {
  index = block_index;
  random_ = Random(seed);
  until_preemption_ = 1 + random_.below(kMostAccessesPerTurn);
  exited_ = 0;
  aborting_ = false;
  violation_.reset();
  std::fill(started_.begin(), started_.end(), char{0});
  std::fill(shared.begin(), shared.end(), static_cast<std::byte>(kPoison));
  shadow.reset();
  for (Barrier& barrier : barriers) {
    clocks.release(barrier.released);
    clocks.release(barrier.joined);
    barrier = Barrier{};
  }
  for (size_t i = 0; i < threads.size(); ++i) {
    Thread& thread = threads[i];
    thread.wait = {};
    thread.clock = 1;
    clocks.release(thread.known);
    thread.known = nullptr;
    thread.copies = {};
    thread.fiber.prepare(stacks_.stack(i), &Block::enter, &thread);
  }
  Clock* nothing_known = clocks.create();
  for (Thread& thread : threads) clocks.share(thread.known, nothing_known);
  clocks.release(nothing_known);
  for (Warp& warp : warps) {
    warp.ready = warp.lanes;
    warp.collectives = {};
  }
}

std::optional<Violation> Block::run(Index3 block_index, uint64_t seed) {
  reset(block_index, seed);
  Fiber::switch_to(host_, next_fiber(nullptr));
  running_thread = nullptr;
  for (Warp& warp : warps) warp.requests.count(counters);
  ++counters.blocks;
  return std::move(violation_);
}

void Block::enter(void* argument) {
  auto& thread = *static_cast<Thread*>(argument);
  thread.block->run_kernel(thread);
  thread.block->exit_thread(thread);
}

void Block::run_kernel(Thread& thread) {
  started_[thread.rank] = 1;
  try {
    launch.kernel();
    if (thread.copies.first < thread.copies.items.size()) {
      fail(thread, thread.copies.items[thread.copies.first].site,
           "the thread exits with an asynchronous copy that it never waited for");
    }
  } catch (const Abort&) {
    // Reported where it was thrown.
  } catch (const std::exception& error) {
    report(thread, {}, str_cat("the kernel threw an exception: ", error.what()));
    begin_abort();
  } catch (...) {
    report(thread, {}, "the kernel threw an exception");
    begin_abort();
  }
}

void Block::exit_thread(Thread& thread) {
  thread.wait = {WaitKind::kExited, 0, {}};
  warps[thread.warp()].ready &= ~(1u << thread.lane());
  ++exited_;
  Fiber::leave(thread.fiber, next_fiber(&thread));
}

// Any ready thread: mostly of the warp that ran, sometimes of another; any lane.
Thread* Block::pick_ready(const Thread* running) {
  const auto warp_count = static_cast<uint32_t>(warps.size());
  uint32_t first = running == nullptr ? 0 : running->warp();
  if (running == nullptr || warps[first].ready == 0 || random_.below(kChoicesPerWarpChange) == 0) {
    first = random_.below(warp_count);
  }
  for (uint32_t i = 0; i < warp_count; ++i) {
    const uint32_t warp = (first + i) % warp_count;
    const uint32_t ready = warps[warp].ready;
    if (ready == 0) continue;
    const uint32_t turn = random_.below(kLanes);
    const auto lane =
        static_cast<uint32_t>(std::countr_zero(std::rotr(ready, static_cast<int>(turn))));
    return &threads[warp * kLanes + (lane + turn) % kLanes];
  }
  return nullptr;
}

// Whoever goes on; the host once all have exited.
Fiber& Block::next_fiber(const Thread* running) {
  Thread* next = pick_ready(running);
  if (next == nullptr && exited_ < threads.size()) {
    report_deadlock();
    next = pick_ready(running);
  }
  running_thread = next;
  return next == nullptr ? host_ : next->fiber;
}

// Switches to another thread, and comes back when it is this one's turn.
void Block::resume(Thread& running) {
  Fiber& next = next_fiber(&running);
  if (&next != &running.fiber) Fiber::switch_to(running.fiber, next);
  if (aborting_) throw Abort{};
}

void Block::park(Thread& thread, const Wait& wait) {
  thread.wait = wait;
  warps[thread.warp()].ready &= ~(1u << thread.lane());
  resume(thread);
}

void Block::make_ready(Thread& thread) {
  thread.wait = {};
  warps[thread.warp()].ready |= 1u << thread.lane();
}

void Block::maybe_preempt(Thread& thread) {
  if (--until_preemption_ != 0) return;
  until_preemption_ = 1 + random_.below(kMostAccessesPerTurn);
  resume(thread);
}

void Block::report(const Thread& thread, CallSite site, std::string what) {
  if (!violation_) violation_ = Violation{std::move(what), index, thread.index, site};
}

void Block::fail(const Thread& thread, CallSite site, std::string what) {
  report(thread, site, std::move(what));
  begin_abort();
  throw Abort{};
}

// Every thread that has begun runs once more, to leave its kernel by Abort: destructors run, and
// nothing on its stack is lost. Those that have not begun never do.
void Block::begin_abort() {
  if (aborting_) return;
  aborting_ = true;
  for (Thread& thread : threads) {
    if (thread.wait.kind == WaitKind::kExited) continue;
    if (started_[thread.rank] != 0) {
      make_ready(thread);
      continue;
    }
    thread.wait.kind = WaitKind::kExited;
    warps[thread.warp()].ready &= ~(1u << thread.lane());
    ++exited_;
  }
}

void Block::report_deadlock() {
  const Thread* waiting = nullptr;
  for (const Thread& thread : threads) {
    if (waiting == nullptr && thread.wait.kind != WaitKind::kExited) waiting = &thread;
  }
  report(*waiting, waiting->wait.site, str_cat("deadlock, no thread can run: ", waiting_text()));
  begin_abort();
}

std::string Block::waiting_text() const {
  std::map<std::string, std::vector<uint32_t>> groups;
  for (const Thread& thread : threads) {
    const Wait& wait = thread.wait;
    switch (wait.kind) {
      case WaitKind::kBarrier: {
        const Barrier& barrier = barriers[wait.detail];
        groups[str_cat("wait at barrier ", wait.detail, " (", barrier.arrived, " of ",
                       barrier.expected, " came), ", place_text(wait.site))]
            .push_back(thread.rank);
        break;
      }
      case WaitKind::kCollective:
        groups[str_cat("wait for other lanes, ", place_text(wait.site))].push_back(thread.rank);
        break;
      case WaitKind::kExited: groups["have exited"].push_back(thread.rank); break;
      case WaitKind::kNone: break;
    }
  }
  std::string text;
  for (const auto& [what, ranks] : groups) {
    text += str_cat(text.empty() ? "" : "; ", ranks.size(), " threads (");
    for (size_t i = 0; i < ranks.size() && i < kThreadsNamed; ++i) {
      text += str_cat(i == 0 ? "" : ",", ranks[i]);
    }
    text += str_cat(ranks.size() > kThreadsNamed ? ",..) " : ") ", what);
  }
  return text;
}

}  // namespace yolocu::emulation
