// Barriers of a block, and the indices of a thread.
#include <bit>
#include <cassert>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

constexpr int kBarriers = 16;

Thread& current_thread() {
  assert(running_thread != nullptr && "a device primitive is called outside a kernel");
  return *running_thread;
}

uint32_t warp_of(const Thread& thread) {
  return thread.rank / kLanes;
}

// What one thread brings to a barrier.
struct Arrival {
  int id, threads, predicate;
  bool is_block_barrier;
  CallSite site;
};

// Barriers are for whole warps: part of one that comes is divergence, even if the count is right.
void check_whole_warps(const Thread& thread, const Barrier& barrier, std::string& what) {
  const std::vector<uint32_t>& came = barrier.came;
  const Warp* warps = &thread.cluster->warps[thread.block->first_warp];
  for (size_t i = 0; i < came.size(); ++i) {
    if (came[i] == 0 || came[i] == warps[i].lanes) continue;
    what =
        str_cat("divergent barrier: only ", std::popcount(came[i]), " lanes of warp ", i, " came");
  }
}

void check_arrival(const Thread& thread, const Barrier& barrier, const Arrival& arrival,
                   std::string& what) {
  if (arrival.id < 0 || arrival.id >= kBarriers) {
    what = str_cat("expected a barrier in 0..15, got ", arrival.id);
  } else if (arrival.threads < 1 ||
             (arrival.threads % 32 != 0 &&
              static_cast<uint32_t>(arrival.threads) != thread.block->thread_count)) {
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
  } else if ((barrier.came[warp_of(thread)] >> thread.lane() & 1u) != 0) {
    what = str_cat("a second arrival in one phase of barrier ", arrival.id);
  }
}

void complete(Cluster& cluster, Barrier& barrier) {
  barrier.result = barrier.predicates;
  for (Thread* waiting : barrier.waiting) {
    cluster.clocks.share(waiting->known, barrier.released);
    cluster.make_ready(*waiting);
  }
  cluster.clocks.release(barrier.released);
  cluster.clocks.release(barrier.joined);
  barrier.released = barrier.joined = nullptr;
  barrier.arrived = 0;
  barrier.waiting.clear();
  barrier.predicates = 0;
  ++cluster.counters.block_barriers;
}

// What the thread did so far is ordered before what follows in those that wait.
void release_to(Barrier& barrier, Thread& thread) {
  if (barrier.joined != thread.known) {
    join(*barrier.released, *thread.known);
    thread.cluster->clocks.share(barrier.joined, thread.known);
  }
  release_own(*barrier.released, thread);
}

// Adds the thread to the barrier's phase. True if it was the last that the phase needs.
bool arrive(Thread& thread, const Arrival& arrival) {
  Cluster& cluster = *thread.cluster;
  wait_for_warp_ops(thread);
  Barrier& barrier = thread.block->barriers[static_cast<size_t>(arrival.id) % kBarriers];
  std::string what;
  check_arrival(thread, barrier, arrival, what);
  if (!what.empty()) cluster.fail(thread, arrival.site, std::move(what));
  if (barrier.arrived == 0) {
    barrier.came.assign(thread.block->warp_count, 0);
    barrier.expected = arrival.threads;
    barrier.is_block_barrier = arrival.is_block_barrier;
    barrier.site = arrival.site;
    barrier.released = cluster.clocks.create();
  }
  release_to(barrier, thread);
  barrier.predicates += arrival.predicate != 0 ? 1 : 0;
  barrier.came[warp_of(thread)] |= 1u << thread.lane();
  if (++barrier.arrived < barrier.expected) return false;
  check_whole_warps(thread, barrier, what);
  if (!what.empty()) cluster.fail(thread, arrival.site, std::move(what));
  return true;
}

int arrive_and_wait(const Arrival& arrival) {
  Thread& thread = current_thread();
  Cluster& cluster = *thread.cluster;
  const bool last = arrive(thread, arrival);
  Barrier& barrier = thread.block->barriers[static_cast<size_t>(arrival.id)];
  barrier.waiting.push_back(&thread);
  if (last) {
    complete(cluster, barrier);
  } else {
    cluster.park(thread, {WaitKind::kBarrier, static_cast<uint32_t>(arrival.id), arrival.site});
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
  return current_thread().cluster->launch.block;
}

Index3 grid_extent() {
  return current_thread().cluster->launch.grid;
}

uint32_t thread_rank() {
  return current_thread().rank;
}

int sync_block(int predicate, CallSite site) {
  const auto threads = static_cast<int>(current_thread().block->thread_count);
  return arrive_and_wait({0, threads, predicate, true, site});
}

void sync_barrier(int id, int threads, CallSite site) {
  arrive_and_wait({id, threads, 0, false, site});
}

void arrive_barrier(int id, int threads, CallSite site) {
  Thread& thread = current_thread();
  if (arrive(thread, {id, threads, 0, false, site})) {
    complete(*thread.cluster, thread.block->barriers[static_cast<size_t>(id)]);
  }
}

}  // namespace yolocu::emulation
