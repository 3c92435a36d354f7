// Matrix instructions that lanes post and run on from; the last lane to post executes for the warp.
// That saves a switch of fibers for every lane and instruction, most of the cost of emulating them.
#pragma once

#include "kernels/emulation/thread.h"

namespace yolocu::emulation {

void reset_warp_ops(Warp& warp);

// Parks the thread until all that it posted is done. Every point where another thread could tell
// the difference calls this first: barriers, arrivals, stores to shared memory, exit.
void wait_for_warp_ops_slowly(Thread& thread);

inline void wait_for_warp_ops(Thread& thread) {
  if (thread.posted != thread.warp->ops.executed) wait_for_warp_ops_slowly(thread);
}

}  // namespace yolocu::emulation
