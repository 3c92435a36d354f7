// Uses of a block's shared memory by others than its own threads: other blocks of the cluster, and
// bulk loads. They must be over before the block's last thread exits.
#pragma once

#include <vector>

#include "kernels/emulation/clocks.h"
#include "kernels/launch.h"

namespace yolocu::emulation {

struct Block;
struct Thread;
class Cluster;

class OutsideUses {
 public:
  // By thread or agent `number` of the clocks, at its clock.
  void record(uint32_t number, uint32_t clock, CallSite site);
  bool empty() const { return uses_.empty(); }
  void clear(ClockPool& clocks);

 private:
  friend void finish_outside_uses(Thread& thread);
  struct Use {
    uint32_t number, clock;
    CallSite site;
  };
  std::vector<Use> uses_;    // the latest of each number
  Clock* exited_ = nullptr;  // what the threads that exited knew
  Clock* joined_ = nullptr;  // the last vector that went into it
};

// Block `block_rank` of the thread's cluster, for an access to its memory or objects. Fails if
// there is none, before any sync_cluster of this thread (the block may not have started; stricter
// than the hardware where another thread's sync_cluster and a barrier of the block order it), and
// after the block's exit. Another block's use is recorded.
Block& block_for_use(Thread& thread, uint32_t block_rank, CallSite site);

// At the thread's exit. The last one of a block fails if a use is not ordered before the exit of
// any thread: in another order the block would be gone.
void finish_outside_uses(Thread& thread);

}  // namespace yolocu::emulation
