// Calls that all lanes of a mask make together.
#pragma once

#include "kernels/emulation/thread.h"

namespace yolocu::emulation {

struct WarpCall {
  CollectiveKind kind;
  uint32_t mask;
  CallSite site;
};

// Brings `input` to the collective; returns this lane's result once all lanes have come. Lanes
// that the block does not have, or that exited, are left out of the mask.
uint64_t meet(Thread& thread, WarpCall call, uint64_t input);

// A thread exits: calls wait for the other lanes of their masks only (CUDA: all lanes of the mask
// that have not exited).
void leave_collectives(Thread& exiting);

// What the last lane to come does for all: register operands of the warp's lanes, in PTX's layout.
void finish_load_matrix(Thread& last, Warp& warp);
void finish_store_matrix(Thread& last, Warp& warp);
void finish_multiply(Thread& last, Warp& warp);

}  // namespace yolocu::emulation
