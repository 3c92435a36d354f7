// Barriers of a block, and the indices of a thread.
#include <bit>
#include <cassert>

#include "engine/base/str_cat.h"
#include "kernels/emulation/block.h"

namespace yolocu::emulation {
namespace {

constexpr int kBarriers = 16;

Thread& current_thread() {
  Thread* thread = Block::current();
  assert(thread != nullptr && "a device primitive is called outside a kernel");
  return *thread;
}

// What one thread brings to a barrier.
struct Arrival {
  int id, threads, predicate;
  bool is_block_barrier;
  CallSite site;
};

// Barriers are for whole warps: part of one that comes is divergence, even if the count is right.
void check_whole_warps(const Block& block, const Barrier& barrier, std::string& what) {
  const std::vector<uint32_t>& came = barrier.came;
  for (size_t i = 0; i < came.size(); ++i) {
    if (came[i] == 0 || came[i] == block.warps[i].lanes) continue;
    what =
        str_cat("divergent barrier: only ", std::popcount(came[i]), " lanes of warp ", i, " came");
  }
}

void check_arrival(const Block& block, const Thread& thread, const Barrier& barrier,
                   const Arrival& arrival, std::string& what) {
  if (arrival.id < 0 || arrival.id >= kBarriers) {
    what = str_cat("expected a barrier in 0..15, got ", arrival.id);
  } else if (arrival.threads < 1 ||
             (arrival.threads % 32 != 0 &&
              static_cast<size_t>(arrival.threads) != block.threads.size())) {
    what = str_cat("expected whole warps at a barrier, got ", arrival.threads, " threads");
  } else if (barrier.arrived == 0) {
    return;
  } else if (barrier.expected != arrival.threads) {
    what = str_cat("barrier ", arrival.id, " waits for ", barrier.expected, " threads at ",
                   place_text(barrier.site), " and for ", arrival.threads, " here");
  } else if (barrier.is_block_barrier && arrival.is_block_barrier &&
             (barrier.site.line != arrival.site.line ||
              std::string_view(barrier.site.file) != arrival.site.file)) {
    what =
        str_cat("divergent barrier: other threads of the block wait at ", place_text(barrier.site));
  } else if ((barrier.came[thread.warp()] >> thread.lane() & 1u) != 0) {
    what = str_cat("a second arrival in one phase of barrier ", arrival.id);
  }
}

void complete(Block& block, Barrier& barrier) {
  barrier.result = barrier.predicates;
  for (Thread* waiting : barrier.waiting) {
    block.clocks.share(waiting->known, barrier.released);
    block.make_ready(*waiting);
  }
  block.clocks.release(barrier.released);
  block.clocks.release(barrier.joined);
  barrier.released = barrier.joined = nullptr;
  barrier.arrived = 0;
  barrier.waiting.clear();
  barrier.predicates = 0;
  ++block.counters.block_barriers;
}

// What the thread did so far is ordered before what follows in those that wait. It starts a new
// clock: what it does from now on is not.
void release_to(Barrier& barrier, Thread& thread) {
  if (barrier.joined != thread.known) {
    join(*barrier.released, *thread.known);
    thread.block->clocks.share(barrier.joined, thread.known);
  }
  barrier.released->known[thread.rank] = thread.clock++;
}

// Adds the thread to the barrier's phase. True if it was the last that the phase needs.
bool arrive(Thread& thread, const Arrival& arrival) {
  Block& block = *thread.block;
  Barrier& barrier = block.barriers[static_cast<size_t>(arrival.id) % kBarriers];
  std::string what;
  check_arrival(block, thread, barrier, arrival, what);
  if (!what.empty()) block.fail(thread, arrival.site, std::move(what));
  if (barrier.arrived == 0) {
    barrier.came.assign(block.warps.size(), 0);
    barrier.expected = arrival.threads;
    barrier.is_block_barrier = arrival.is_block_barrier;
    barrier.site = arrival.site;
    barrier.released = block.clocks.create();
  }
  release_to(barrier, thread);
  barrier.predicates += arrival.predicate != 0 ? 1 : 0;
  barrier.came[thread.warp()] |= 1u << thread.lane();
  if (++barrier.arrived < barrier.expected) return false;
  check_whole_warps(block, barrier, what);
  if (!what.empty()) block.fail(thread, arrival.site, std::move(what));
  return true;
}

int arrive_and_wait(const Arrival& arrival) {
  Thread& thread = current_thread();
  Block& block = *thread.block;
  const bool last = arrive(thread, arrival);
  Barrier& barrier = block.barriers[static_cast<size_t>(arrival.id)];
  barrier.waiting.push_back(&thread);
  if (last) {
    complete(block, barrier);
  } else {
    block.park(thread, {WaitKind::kBarrier, static_cast<uint32_t>(arrival.id), arrival.site});
  }
  return barrier.result;  // nobody completes the next phase before all have read this one's
}

}  // namespace

Index3 thread_index() {
  return current_thread().index;
}

Index3 block_index() {
  return current_thread().block->index;
}

Index3 block_extent() {
  return current_thread().block->launch.block;
}

Index3 grid_extent() {
  return current_thread().block->launch.grid;
}

uint32_t thread_rank() {
  return current_thread().rank;
}

int sync_block(int predicate, CallSite site) {
  const auto threads = static_cast<int>(current_thread().block->threads.size());
  return arrive_and_wait({0, threads, predicate, true, site});
}

void sync_barrier(int id, int threads, CallSite site) {
  arrive_and_wait({id, threads, 0, false, site});
}

void arrive_barrier(int id, int threads, CallSite site) {
  Thread& thread = current_thread();
  if (arrive(thread, {id, threads, 0, false, site})) {
    complete(*thread.block, thread.block->barriers[static_cast<size_t>(id)]);
  }
}

}  // namespace yolocu::emulation
