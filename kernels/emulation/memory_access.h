// Checks of shared memory that other files of the emulation share.
#pragma once

#include "kernels/emulation/global_memory.h"
#include "kernels/emulation/thread.h"

namespace yolocu::emulation {

// Notes an access for the counters of requests; only with Counting::kRequests.
void log_request(Thread& thread, Space space, uint64_t address, size_t size, CallSite site);

// Global memory: bounds, alignment, bytes never written, races; counts the bytes. Fails the cluster
// on an error.
void check_global(Thread& thread, const GlobalAccessor& by, const GlobalRequest& request);
void check_global(Thread& thread, const GlobalRequest& request);

// check_global of an access aligned to its size, which is logged and may be preempted first.
std::byte* access_global(GlobalAccess kind, const void* address, size_t size, CallSite site);

// Bounds, alignment to `size`, races; logs the request. Fails the cluster on an error.
void check_shared(Thread& thread, Block& block, AccessKind kind, uint32_t address, size_t size,
                  CallSite site);
// The same for the thread's own block.
void check_shared(Thread& thread, AccessKind kind, uint32_t address, size_t size, CallSite site);

}  // namespace yolocu::emulation
