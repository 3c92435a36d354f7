#include "kernels/emulation/async_proxy.h"

#include <algorithm>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

struct SlotRange {
  uint32_t first, count;
};

// Loads have most: a slot for each of 32 mbarriers. The others have one for each of 16 warps.
constexpr SlotRange slots_of(AgentKind kind) {
  switch (kind) {
    case AgentKind::kLoad: return {0, 32};
    case AgentKind::kStore: return {32, 16};
    case AgentKind::kProduct: return {48, 16};
    case AgentKind::kStoredGlobal: return {64, 16};
  }
  return {};
}

// Its next clock; what it knows is left open.
AsyncAgent next_agent(Cluster& cluster, AgentKind kind, uint32_t slot) {
  const SlotRange range = slots_of(kind);
  slot = range.first + slot % range.count;
  AsyncAgent agent;
  agent.id = {static_cast<uint32_t>(cluster.threads.size()) + slot, ++cluster.agent_clocks[slot]};
  return agent;
}

// into = min(into, from): what both know.
void meet_clocks(Clock& into, const Clock& from) {
  for (size_t i = 0; i < into.known.size(); ++i) {
    into.known[i] = std::min(into.known[i], from.known[i]);
  }
}

}  // namespace

AsyncAgent make_agent(Thread& issuer, AgentKind kind, uint32_t slot) {
  Cluster& cluster = *issuer.cluster;
  AsyncAgent agent = next_agent(cluster, kind, slot);
  agent.known = cluster.clocks.copy(*issuer.known);
  agent.known->known[issuer.id] = issuer.clock;
  agent.known->fenced(issuer.id) = issuer.fenced;
  return agent;
}

AsyncAgent make_warp_agent(Thread& issuer, AgentKind kind, uint32_t slot) {
  Cluster& cluster = *issuer.cluster;
  AsyncAgent agent = next_agent(cluster, kind, slot);
  const Thread* lanes = &cluster.threads[issuer.warp->first_thread];
  const bool is_shared = std::all_of(
      lanes, lanes + kLanes, [&](const Thread& lane) { return lane.known == issuer.known; });
  if (is_shared) {
    cluster.clocks.share(agent.known, issuer.known);
    return agent;
  }
  agent.known = cluster.clocks.copy(*issuer.known);
  for (uint32_t lane = 0; lane < kLanes; ++lane) meet_clocks(*agent.known, *lanes[lane].known);
  return agent;
}

void release_agent(Cluster& cluster, AsyncAgent& agent) {
  cluster.clocks.release(agent.known);
  agent.known = nullptr;
}

void async_access(Thread& issuer, Block& block, const AsyncAgent& agent, AccessKind kind,
                  uint32_t address, uint32_t size, CallSite site) {
  Cluster& cluster = *issuer.cluster;
  if (address > block.shared.size() || size > block.shared.size() - address) {
    cluster.fail(issuer, site,
                 str_cat("shared memory out of bounds: ", size, " bytes at offset ",
                         static_cast<int32_t>(address), " of ", block.shared.size(),
                         " by the asynchronous proxy"));
  }
  if (block.mbarriers.overlaps(address, size)) {
    cluster.fail(issuer, site, str_cat("asynchronous access to a live mbarrier: offset ", address));
  }
  if (cluster.launch.options.races == RaceCheck::kOff) return;
  const Accessor by{agent.id.agent, agent.id.clock, agent.known, cluster.site_number(site),
                    agent.id.clock};
  const auto is_fenced = [&](uint32_t thread, uint32_t clock) {
    return thread >= cluster.threads.size() || clock <= agent.known->fenced(thread);
  };
  std::string what = block.shadow.unfenced_write(is_fenced, address, size);
  if (what.empty() && !block.shadow.access(by, kind, address, size)) {
    what = block.shadow.explain(by, kind, address, size);
  }
  if (!what.empty()) cluster.fail(issuer, site, std::move(what));
}

void learn_agent(Thread& issuer, const AsyncAgent& agent) {
  ClockPool& clocks = issuer.cluster->clocks;
  Clock* known = clocks.copy(*issuer.known);
  uint32_t& clock = known->known[agent.id.agent];
  clock = std::max(clock, agent.id.clock);
  clocks.share(issuer.known, known);
  clocks.release(known);
}

void fence_async_proxy(CallSite) {
  Thread& thread = *running_thread;
  wait_for_warp_ops(thread);
  thread.fenced = thread.clock++;
}

}  // namespace yolocu::emulation
