// sync_warp, shuffles and votes: calls that all lanes of a mask make together. The last lane to
// come computes the results of all.
#include "kernels/emulation/collective.h"

#include <bit>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

// The lane that `lane` reads in a shuffle (PTX, shfl.sync).
uint32_t source_lane(uint32_t lane, const Shuffle& shuffle) {
  const uint32_t first = lane & ~(shuffle.width - 1);
  const uint32_t last = first + shuffle.width - 1;
  switch (shuffle.kind) {
    case ShuffleKind::kIndex: return first + (shuffle.operand & (shuffle.width - 1));
    case ShuffleKind::kUp: return lane - first < shuffle.operand ? lane : lane - shuffle.operand;
    case ShuffleKind::kDown: return last - lane < shuffle.operand ? lane : lane + shuffle.operand;
    case ShuffleKind::kXor: {
      const uint32_t source = lane ^ (shuffle.operand & (kLanes - 1));
      return source > last ? lane : source;
    }
  }
  return lane;
}

template <typename Function>
void for_each_lane(uint32_t mask, Function function) {
  for (; mask != 0; mask &= mask - 1) function(static_cast<uint32_t>(std::countr_zero(mask)));
}

// The collective that this lane joins: one that waits for it, or a free one. Reports divergence.
Collective& join_collective(Thread& thread, Warp& warp, const WarpCall& call) {
  Cluster& cluster = *thread.cluster;
  if ((call.mask >> thread.lane() & 1u) == 0) {
    cluster.fail(thread, call.site,
                 str_cat("divergent mask: lane ", thread.lane(),
                         " makes a warp call whose mask leaves it out"));
  }
  for (Collective& other : warp.collectives) {
    if (other.arrived == 0 || (other.mask & call.mask) == 0) continue;
    if (other.mask != call.mask || other.kind != call.kind || other.site.line != call.site.line ||
        std::string_view(other.site.file) != call.site.file) {
      cluster.fail(thread, call.site,
                   str_cat("divergent warp call: other lanes wait for this one at ",
                           place_text(other.site), ", or with another mask"));
    }
    return other;
  }
  for (Collective& unused : warp.collectives) {
    if (unused.arrived == 0) {
      unused = {call.mask, 0, call.kind, call.site};
      return unused;
    }
  }
  cluster.fail(thread, call.site, "more warp calls wait than a warp has lanes");
}

void finish_sync(Cluster& cluster, const Thread& last, uint32_t mask) {
  Clock* released = cluster.clocks.create();
  const auto thread_of = [&](uint32_t lane) -> Thread& {
    return cluster.threads[last.warp->first_thread + lane];
  };
  const Clock* joined = nullptr;
  for_each_lane(mask, [&](uint32_t lane) {
    Thread& thread = thread_of(lane);
    if (thread.known != joined) join(*released, *thread.known);
    joined = thread.known;
    release_own(*released, thread);
  });
  for_each_lane(mask,
                [&](uint32_t lane) { cluster.clocks.share(thread_of(lane).known, released); });
  cluster.clocks.release(released);
}

void finish_shuffle(Cluster& cluster, const Thread& last, Warp& warp, const WarpCall& call) {
  for_each_lane(call.mask, [&](uint32_t lane) {
    const uint32_t source = source_lane(lane, warp.shuffles[lane]);
    if ((call.mask >> source & 1u) == 0) {
      cluster.fail(
          last, call.site,
          str_cat("shuffle: lane ", lane, " reads lane ", source, ", which takes no part"));
    }
    warp.results[lane] = warp.inputs[source];
  });
}

void finish_vote(Warp& warp, uint32_t mask) {
  uint32_t votes = 0;
  for_each_lane(mask, [&](uint32_t lane) { votes |= (warp.inputs[lane] != 0 ? 1u : 0u) << lane; });
  for_each_lane(mask, [&](uint32_t lane) { warp.results[lane] = votes; });
}

// All lanes of the mask that have not exited are there: computes their results, and they go on.
void complete(Thread& last, Collective& collective) {
  Cluster& cluster = *last.cluster;
  Warp& warp = *last.warp;
  const WarpCall call{collective.kind, collective.mask, collective.site};
  collective.arrived = 0;
  ++cluster.counters.warp_collectives;
  switch (call.kind) {
    case CollectiveKind::kSyncWarp: finish_sync(cluster, last, call.mask); break;
    case CollectiveKind::kShuffle: finish_shuffle(cluster, last, warp, call); break;
    case CollectiveKind::kVote: finish_vote(warp, call.mask); break;
    case CollectiveKind::kLoadMatrix: finish_load_matrix(last, warp); break;
    case CollectiveKind::kStoreMatrix: finish_store_matrix(last, warp); break;
    case CollectiveKind::kMultiply: finish_multiply(last, warp); break;
  }
  for_each_lane(call.mask, [&](uint32_t lane) {
    Thread& other = cluster.threads[warp.first_thread + lane];
    if (&other != &last && other.wait.kind == WaitKind::kCollective) cluster.make_ready(other);
  });
}

}  // namespace

uint64_t meet(Thread& thread, WarpCall call, uint64_t input) {
  Warp& warp = *thread.warp;
  call.mask &= warp.lanes & ~warp.exited;
  Collective& collective = join_collective(thread, warp, call);
  warp.inputs[thread.lane()] = input;
  collective.arrived |= 1u << thread.lane();
  if (collective.arrived == collective.mask) {
    complete(thread, collective);
  } else {
    thread.cluster->park(thread, {WaitKind::kCollective, call.mask, call.site});
  }
  return warp.results[thread.lane()];
}

void leave_collectives(Thread& exiting) {
  Warp& warp = *exiting.warp;
  warp.exited |= 1u << exiting.lane();
  for (Collective& collective : warp.collectives) {
    if (collective.arrived == 0) continue;
    collective.mask &= ~warp.exited;
    if (collective.arrived != collective.mask) continue;
    const auto lane = static_cast<uint32_t>(std::countr_zero(collective.mask));
    Thread& waiting = exiting.cluster->threads[warp.first_thread + lane];
    complete(waiting, collective);
    exiting.cluster->make_ready(waiting);
  }
}

void sync_warp(uint32_t mask, CallSite site) {
  wait_for_warp_ops(*running_thread);
  meet(*running_thread, {CollectiveKind::kSyncWarp, mask, site}, 0);
}

uint64_t shuffle(uint64_t bits, const Shuffle& shuffle, CallSite site) {
  Thread& thread = *running_thread;
  if (shuffle.width == 0 || shuffle.width > kLanes || !std::has_single_bit(shuffle.width)) {
    thread.cluster->fail(thread, site,
                         str_cat("shuffle: expected a width that is a power of two up ",
                                 "to 32, got ", shuffle.width));
  }
  thread.warp->shuffles[thread.lane()] = shuffle;
  return meet(thread, {CollectiveKind::kShuffle, shuffle.mask, site}, bits);
}

Vote vote(int predicate, uint32_t mask, CallSite site) {
  Thread& thread = *running_thread;
  const uint32_t voters = mask & thread.warp->lanes & ~thread.warp->exited;
  const uint64_t votes = meet(thread, {CollectiveKind::kVote, mask, site}, predicate != 0 ? 1 : 0);
  return {static_cast<uint32_t>(votes), voters};
}

}  // namespace yolocu::emulation
