// Asynchronous operations as actors of the memory model.
#pragma once

#include <cstdint>

#include "kernels/emulation/clocks.h"

namespace yolocu::emulation {

// What an asynchronous operation did: its agent's accesses up to a clock. Agents are numbered after
// the threads of the cluster; several may share a number, so that a race can be missed, but none is
// invented.
struct AgentClock {
  uint32_t agent = 0, clock = 0;
};
constexpr uint32_t kAgents = 80;

// known: what the issuer knew and did. One reference, given back by release_agent.
struct AsyncAgent {
  AgentClock id = {};
  Clock* known = nullptr;
};

}  // namespace yolocu::emulation
