// wgmma of a warpgroup, four warps, in the emulator. Each warp multiplies its own 16 rows; the four
// must make the same calls.
#pragma once

#include <vector>

#include "kernels/emulation/thread.h"

namespace yolocu::emulation {

// The operations that some of the four warps have executed and not all yet.
struct WarpgroupLog {
  struct Entry {
    WarpgroupOp op;
    int warps = 0;  // that executed it
  };
  std::vector<Entry> entries;
  uint64_t first = 0;  // number of entries[0]
};

void execute_wgmma_op(Thread& thread, const WarpgroupOp& op);

// At the thread's exit: nothing may be under way, and the four warps must have done the same.
void finish_wgmma(Thread& thread);

void reset_wgmma(Cluster& cluster, Warp& warp);
void reset_warpgroups(Block& block);

}  // namespace yolocu::emulation
