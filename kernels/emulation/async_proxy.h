// Accesses of shared memory by the asynchronous proxy: bulk copies and wgmma operands. Each
// operation acts as an agent of its own: after what its issuer knew and did, and before nothing but
// what waits for it.
#pragma once

#include "kernels/emulation/agents.h"
#include "kernels/emulation/block.h"
#include "kernels/emulation/thread.h"

namespace yolocu::emulation {

// Each kind has numbers of its own, so that the end of one operation is not taken for another's.
enum class AgentKind : uint8_t { kLoad, kStore, kProduct, kStoredGlobal };

// A new agent for what `issuer` starts now. Agents of one kind with the same `slot` (any number)
// complete in order, or share their fate; should they not, a race can be missed.
AsyncAgent make_agent(Thread& issuer, AgentKind kind, uint32_t slot);
// The same for what all lanes of the issuer's warp start together: after what all of them are
// ordered after. A wait of one lane counts for the others only after a sync_warp.
AsyncAgent make_warp_agent(Thread& issuer, AgentKind kind, uint32_t slot);
void release_agent(Cluster& cluster, AsyncAgent& agent);

// Records an access of `size` bytes, a multiple of 16, at a multiple of 16 bytes. Fails if it is
// out of bounds, races, reads what was not written, or touches what an ordinary access wrote and no
// fence_async_proxy of the writer made visible.
// A fence counts for what its own thread wrote before it. PTX 8.9.5 may also accept one of another
// thread between the barrier and the access; CUTLASS never writes that, and it is refused here.
void async_access(Thread& issuer, Block& block, const AsyncAgent& agent, AccessKind kind,
                  uint32_t address, uint32_t size, CallSite site);

// The issuer knows from now on what the agent did.
void learn_agent(Thread& issuer, const AsyncAgent& agent);

}  // namespace yolocu::emulation
