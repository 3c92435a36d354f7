// sync_warp, shuffles and votes: calls that all lanes of a mask make together. The last lane to
// come computes the results of all.
#include <bit>

#include "engine/base/str_cat.h"
#include "kernels/emulation/block.h"

namespace yolocu::emulation {
namespace {

constexpr uint32_t kLanes = 32;

struct Call {
  CollectiveKind kind;
  uint32_t mask;
  CallSite site;
};

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
Collective& join_collective(Thread& thread, Warp& warp, const Call& call) {
  Block& block = *thread.block;
  if ((call.mask >> thread.lane() & 1u) == 0) {
    block.fail(thread, call.site,
               str_cat("divergent mask: lane ", thread.lane(),
                       " makes a warp call whose mask leaves it out"));
  }
  for (Collective& other : warp.collectives) {
    if (other.arrived == 0 || (other.mask & call.mask) == 0) continue;
    if (other.mask != call.mask || other.kind != call.kind || other.site.line != call.site.line ||
        std::string_view(other.site.file) != call.site.file) {
      block.fail(thread, call.site,
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
  block.fail(thread, call.site, "more warp calls wait than a warp has lanes");
}

void finish_sync(Block& block, const Thread& last, uint32_t mask) {
  Clock* released = block.clocks.create();
  const auto thread_of = [&](uint32_t lane) -> Thread& {
    return block.threads[last.warp() * kLanes + lane];
  };
  const Clock* joined = nullptr;
  for_each_lane(mask, [&](uint32_t lane) {
    Thread& thread = thread_of(lane);
    if (thread.known != joined) join(*released, *thread.known);
    joined = thread.known;
    released->known[thread.rank] = std::max(released->known[thread.rank], thread.clock++);
  });
  for_each_lane(mask, [&](uint32_t lane) { block.clocks.share(thread_of(lane).known, released); });
  block.clocks.release(released);
}

void finish_shuffle(Block& block, const Thread& last, Warp& warp, const Call& call) {
  for_each_lane(call.mask, [&](uint32_t lane) {
    const uint32_t source = source_lane(lane, warp.shuffles[lane]);
    if ((call.mask >> source & 1u) == 0) {
      block.fail(last, call.site,
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

// Brings `input` to the collective; returns this lane's result once all lanes have come. Lanes
// that the block does not have are left out of the mask.
uint64_t meet(Thread& thread, Call call, uint64_t input) {
  Block& block = *thread.block;
  Warp& warp = block.warps[thread.warp()];
  call.mask &= warp.lanes;
  Collective& collective = join_collective(thread, warp, call);
  warp.inputs[thread.lane()] = input;
  collective.arrived |= 1u << thread.lane();
  if (collective.arrived != call.mask) {
    block.park(thread, {WaitKind::kCollective, call.mask, call.site});
    return warp.results[thread.lane()];
  }
  collective.arrived = 0;
  ++block.counters.warp_collectives;
  switch (call.kind) {
    case CollectiveKind::kSyncWarp: finish_sync(block, thread, call.mask); break;
    case CollectiveKind::kShuffle: finish_shuffle(block, thread, warp, call); break;
    case CollectiveKind::kVote: finish_vote(warp, call.mask); break;
  }
  for_each_lane(call.mask, [&](uint32_t lane) {
    Thread& other = block.threads[thread.warp() * kLanes + lane];
    if (&other != &thread) block.make_ready(other);
  });
  return warp.results[thread.lane()];
}

}  // namespace

void sync_warp(uint32_t mask, CallSite site) {
  meet(*Block::current(), {CollectiveKind::kSyncWarp, mask, site}, 0);
}

uint64_t shuffle(uint64_t bits, const Shuffle& shuffle, CallSite site) {
  Thread& thread = *Block::current();
  if (shuffle.width == 0 || shuffle.width > kLanes || !std::has_single_bit(shuffle.width)) {
    thread.block->fail(thread, site,
                       str_cat("shuffle: expected a width that is a power of two up ",
                               "to 32, got ", shuffle.width));
  }
  thread.block->warps[thread.warp()].shuffles[thread.lane()] = shuffle;
  return meet(thread, {CollectiveKind::kShuffle, shuffle.mask, site}, bits);
}

Vote vote(int predicate, uint32_t mask, CallSite site) {
  Thread& thread = *Block::current();
  const uint64_t votes = meet(thread, {CollectiveKind::kVote, mask, site}, predicate != 0 ? 1 : 0);
  return {static_cast<uint32_t>(votes), mask & thread.block->warps[thread.warp()].lanes};
}

}  // namespace yolocu::emulation
