// One CUDA thread, and the one that runs now.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/emulation/bulk_copy.h"
#include "kernels/emulation/clocks.h"
#include "kernels/emulation/fiber.h"
#include "kernels/emulation/primitives.h"
#include "kernels/emulation/shadow.h"
#include "kernels/emulation/sync_variables.h"
#include "kernels/emulation/warp.h"

namespace yolocu::emulation {

class Cluster;
struct Block;

enum class WaitKind : uint8_t {
  kNone,
  kBarrier,
  kCollective,
  kWarpOps,
  kMBarrier,
  kClusterBarrier,
  kPoll,
  kExited
};

// Why a thread does not run. detail: the barrier's id or offset, or the mask of the collective.
struct Wait {
  WaitKind kind = WaitKind::kNone;
  uint32_t detail = 0;
  CallSite site = {};
};

// The cp.async of one thread, oldest first.
struct AsyncQueue {
  struct Item {
    AsyncCopy copy;
    CallSite site;
    int64_t group;
    Clock* known;  // what the thread knew when it began; a reference
  };
  std::vector<Item> items;  // from `first` on
  size_t first = 0;
  int64_t open_group = 0;  // number of the group that the next commit closes

  void clear() {
    items.clear();
    first = 0;
    open_group = 0;
  }
};

// The thread's last look at a word of global memory that left it unchanged, if it has changed
// none since.
struct Poll {
  const uint32_t* word = nullptr;
  uint32_t value = 0;
  CallSite site = {};
  uint32_t count = 0;  // of polls since it last gave way
};

struct Thread {
  Fiber fiber;
  Cluster* cluster = nullptr;
  Block* block = nullptr;
  Warp* warp = nullptr;
  uint32_t rank = 0;  // in the block
  uint32_t id = 0;    // in the cluster: its place in clocks
  Index3 index;
  Wait wait;
  uint32_t clock = 1;   // of its own accesses; grows at every release
  uint32_t fenced = 0;  // own accesses up to this clock come before the asynchronous proxy's
  Clock* known = nullptr;
  FenceKnowledge fences;
  Poll poll;
  AsyncQueue copies;
  BulkStores stores;
  uint64_t posted = 0;  // operations of the warp that this lane has posted
  uint64_t cluster_arrivals = 0, cluster_rounds = 0;  // at the barrier of the cluster
  // Words in use of the warp's matrix registers: a stack, as fragments are local variables.
  uint32_t matrix_registers = 0;

  uint32_t lane() const { return rank % kLanes; }
  Accessor accessor(uint16_t site) const { return {id, clock, known, site, 0}; }
};

// What the thread did so far is known to those who get `to`. It starts a new clock: what it does
// from now on is not. `to` already has what the thread knows of others.
inline void release_own(Clock& to, Thread& thread) {
  to.known[thread.id] = std::max(to.known[thread.id], thread.clock++);
  to.fenced(thread.id) = std::max(to.fenced(thread.id), thread.fenced);
}

inline void release(Clock& to, Thread& thread) {
  join(to, *thread.known);
  release_own(to, thread);
}

// The thread knows from now on what `news` says.
inline void learn(ClockPool& clocks, Thread& thread, const Clock& news) {
  Clock* known = clocks.copy(*thread.known);
  join(*known, news);
  clocks.share(thread.known, known);
  clocks.release(known);
}

// The thread that runs now on this host thread; nullptr outside kernels. A fiber stays on its host
// thread.
extern constinit thread_local Thread* running_thread;

}  // namespace yolocu::emulation
