#include "kernels/emulation/mbarrier.h"

#include <algorithm>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/memory_access.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

constexpr int kMostArrivals = (1 << 20) - 1;
constexpr int64_t kMostBytes = (1 << 20) - 1;

[[noreturn]] void fail(Thread& thread, CallSite site, std::string what) {
  thread.cluster->fail(thread, site, std::move(what));
}

void check_place(Thread& thread, uint32_t address, CallSite site) {
  if (address % kMBarrierBytes != 0) {
    fail(thread, site, str_cat("mbarrier: expected an address aligned to 8 bytes, got ", address));
  }
  const size_t size = thread.block->shared.size();
  if (address > size || kMBarrierBytes > size - address) {
    fail(thread, site,
         str_cat("shared memory out of bounds: mbarrier at offset ", address, " of ", size));
  }
}

// The object for a use by this thread, which must be ordered after its initialisation.
MBarrierState& live_barrier(Thread& thread, Block& block, uint32_t address, CallSite site) {
  check_place(thread, address, site);
  MBarrierState* barrier = block.mbarriers.find(address);
  if (barrier == nullptr)
    fail(thread, site, str_cat("no mbarrier was initialised at offset ", address));
  if (!thread.accessor(0).is_after(barrier->init_thread, barrier->init_clock)) {
    fail(thread, site,
         str_cat("race: mbarrier initialised by thread ", barrier->init_thread, " at ",
                 place_text(barrier->init_site), " and no barrier lies between"));
  }
  return *barrier;
}

// Uses do not race with each other, but with an initialisation or the object's end.
MBarrierState& use_barrier(Thread& thread, Block& block, uint32_t address, CallSite site) {
  MBarrierState& barrier = live_barrier(thread, block, address, site);
  if (thread.cluster->launch.options.races == RaceCheck::kOff) return barrier;
  const Accessor by = thread.accessor(thread.cluster->site_number(site));
  if (!block.shadow.access(by, AccessKind::kAtomic, address, kMBarrierBytes)) {
    fail(thread, site, block.shadow.explain(by, AccessKind::kAtomic, address, kMBarrierBytes));
  }
  return barrier;
}

void forget_clock(ClockPool& clocks, Clock*& clock) {
  clocks.release(clock);
  clock = nullptr;
}

void forget_completed(ClockPool& clocks, MBarrierState& barrier) {
  forget_clock(clocks, barrier.completed);
  forget_clock(clocks, barrier.joined);
  for (MBarrierState::Learned& learned : barrier.learned) {
    forget_clock(clocks, learned.before);
    forget_clock(clocks, learned.after);
  }
}

void forget_clocks(ClockPool& clocks, MBarrierState& barrier) {
  forget_completed(clocks, barrier);
  forget_clock(clocks, barrier.incoming);
}

void complete_phase_if_done(Cluster& cluster, MBarrierState& barrier) {
  if (barrier.pending != 0 || barrier.expected_bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.arrivals;
  barrier.is_observed = false;
  forget_completed(cluster.clocks, barrier);
  barrier.completed = barrier.incoming;
  barrier.incoming = cluster.clocks.create();
  for (Thread* waiting : barrier.waiting) cluster.make_ready(*waiting);
  barrier.waiting.clear();
  ++cluster.counters.mbarrier_phases;
}

void expect_bytes(Thread& thread, MBarrierState& barrier, uint32_t bytes, CallSite site) {
  barrier.expected_bytes += bytes;
  if (bytes > kMostBytes || barrier.expected_bytes > kMostBytes) {
    fail(thread, site,
         str_cat("mbarrier: expected at most ", kMostBytes, " outstanding bytes, got ",
                 barrier.expected_bytes));
  }
}

// What the thread did so far is known to those who see this phase completed.
void release_to(Cluster& cluster, MBarrierState& barrier, Thread& by) {
  if (barrier.joined != by.known) {
    join(*barrier.incoming, *by.known);
    cluster.clocks.share(barrier.joined, by.known);
  }
  release_own(*barrier.incoming, by);
}

void arrive(Thread& by, Cluster& cluster, MBarrierState& barrier, CallSite site) {
  if (!barrier.is_observed) {
    fail(by, site,
         str_cat("mbarrier: arrival in phase ", barrier.phase, ", and no wait saw phase ",
                 barrier.phase - 1, " completed"));
  }
  if (barrier.pending == 0) {
    fail(by, site, str_cat("mbarrier: more than ", barrier.arrivals, " arrivals in one phase"));
  }
  release_to(cluster, barrier, by);
  --barrier.pending;
  complete_phase_if_done(cluster, barrier);
}

void arrive_at(Thread& thread, Block& block, uint32_t address, uint32_t bytes, CallSite site) {
  wait_for_warp_ops(thread);
  thread.cluster->maybe_preempt(thread);
  MBarrierState& barrier = use_barrier(thread, block, address, site);
  if (bytes > 0) expect_bytes(thread, barrier, bytes, site);
  arrive(thread, *thread.cluster, barrier, site);
}

// A parity names the current phase or the one before. That a thread means an older one cannot be
// seen here: it waits for the next phase of that parity, as it would on the device.
bool is_complete(const MBarrierState& barrier, uint32_t parity) {
  return (barrier.phase & 1) != (parity & 1);
}

// Takes what the completed phase makes known. Arrivals and waits of every scope are alike here: a
// wait of the block's scope also learns what other blocks did, which PTX does not promise.
void observe(Thread& thread, MBarrierState& barrier) {
  barrier.is_observed = true;
  if (barrier.completed == nullptr) return;
  ClockPool& clocks = thread.cluster->clocks;
  for (const MBarrierState::Learned& learned : barrier.learned) {
    if (learned.before == thread.known) return clocks.share(thread.known, learned.after);
  }
  MBarrierState::Learned& learned =
      barrier.learned[barrier.next_learned++ % barrier.learned.size()];
  clocks.share(learned.before, thread.known);
  learn(clocks, thread, *barrier.completed);
  clocks.share(learned.after, thread.known);
}

void check_parity(Thread& thread, uint32_t parity, CallSite site) {
  if (parity > 1) fail(thread, site, str_cat("mbarrier: expected parity 0 or 1, got ", parity));
}

}  // namespace

MBarrierState* MBarriers::find(uint32_t address) {
  for (MBarrierState& state : states_) {
    if (state.address == address) return &state;
  }
  return nullptr;
}

bool MBarriers::overlaps_one(uint32_t address, size_t size) const {
  return std::any_of(states_.begin(), states_.end(), [&](const MBarrierState& state) {
    return address < state.address + kMBarrierBytes && state.address < address + size;
  });
}

void MBarriers::update_bounds() {
  first_ = UINT32_MAX;
  end_ = 0;
  for (const MBarrierState& state : states_) {
    first_ = std::min(first_, state.address);
    end_ = std::max(end_, state.address + kMBarrierBytes);
  }
}

MBarrierState& MBarriers::add(uint32_t address) {
  MBarrierState& state = states_.emplace_back();
  state.address = address;
  update_bounds();
  return state;
}

void MBarriers::remove(uint32_t address, ClockPool& clocks) {
  if (MBarrierState* state = find(address); state != nullptr) forget_clocks(clocks, *state);
  std::erase_if(states_, [&](const MBarrierState& state) { return state.address == address; });
  update_bounds();
}

void MBarriers::clear(ClockPool& clocks) {
  for (MBarrierState& state : states_) forget_clocks(clocks, state);
  states_.clear();
  update_bounds();
}

void complete_bytes(Cluster& cluster, MBarrierState& barrier, int64_t bytes, AgentClock copied) {
  barrier.expected_bytes -= bytes;
  // Below -(2^20-1) it cannot fall: a block's memory has no room for so many bytes in flight.
  uint32_t& known = barrier.incoming->known[copied.agent];
  known = std::max(known, copied.clock);
  complete_phase_if_done(cluster, barrier);
}

MBarrierState& mbarrier_for_copy(Thread& thread, Block& block, uint32_t address, CallSite site) {
  MBarrierState& barrier = live_barrier(thread, block, address, site);
  if (!barrier.is_fenced) {
    fail(
        thread, site,
        str_cat("mbarrier initialised at ", place_text(barrier.init_site),
                " without fence_mbarrier_init, and used by an asynchronous copy or another block"));
  }
  return barrier;
}

void mbarrier_init(uint32_t address, int arrivals, CallSite site) {
  Thread& thread = *running_thread;
  thread.cluster->require(thread, 90, "mbarrier with transactions", site);
  Block& block = *thread.block;
  wait_for_warp_ops(thread);
  check_place(thread, address, site);
  if (arrivals < 1 || arrivals > kMostArrivals) {
    fail(thread, site,
         str_cat("mbarrier: expected 1..", kMostArrivals, " arrivals, got ", arrivals));
  }
  if (block.mbarriers.overlaps(address, kMBarrierBytes)) {
    fail(thread, site, str_cat("mbarrier initialised over a live one at offset ", address));
  }
  check_shared(thread, AccessKind::kWrite, address, kMBarrierBytes, site);
  MBarrierState& barrier = block.mbarriers.add(address);
  barrier.arrivals = barrier.pending = static_cast<uint32_t>(arrivals);
  barrier.init_thread = thread.id;
  barrier.init_clock = thread.clock;
  barrier.init_site = site;
  barrier.incoming = thread.cluster->clocks.create();
}

void fence_mbarrier_init(CallSite) {
  Thread& thread = *running_thread;
  for (MBarrierState& barrier : thread.block->mbarriers.all()) {
    if (barrier.init_thread == thread.id) barrier.is_fenced = true;
  }
}

void mbarrier_invalidate(uint32_t address, CallSite site) {
  Thread& thread = *running_thread;
  wait_for_warp_ops(thread);
  MBarrierState& barrier = live_barrier(thread, *thread.block, address, site);
  if (!barrier.waiting.empty()) fail(thread, site, "mbarrier invalidated while threads wait at it");
  if (barrier.copy.clock > thread.known->known[barrier.copy.agent]) {
    fail(thread, site, "mbarrier invalidated before a wait saw its bulk copies completed");
  }
  thread.block->mbarriers.remove(address, thread.cluster->clocks);
  check_shared(thread, AccessKind::kWrite, address, kMBarrierBytes, site);
}

void mbarrier_arrive(uint32_t address, uint32_t expected_bytes, CallSite site) {
  arrive_at(*running_thread, *running_thread->block, address, expected_bytes, site);
}

void mbarrier_expect(uint32_t address, uint32_t bytes, CallSite site) {
  Thread& thread = *running_thread;
  wait_for_warp_ops(thread);
  thread.cluster->maybe_preempt(thread);
  MBarrierState& barrier = use_barrier(thread, *thread.block, address, site);
  expect_bytes(thread, barrier, bytes, site);
}

void mbarrier_arrive_remote(uint32_t address, uint32_t block_rank, CallSite site) {
  Thread& thread = *running_thread;
  Block& block = block_for_use(thread, block_rank, site);
  if (&block != thread.block) mbarrier_for_copy(thread, block, address, site);
  arrive_at(thread, block, address, 0, site);
}

void mbarrier_wait(uint32_t address, uint32_t parity, CallSite site) {
  Thread& thread = *running_thread;
  wait_for_warp_ops(thread);
  thread.cluster->maybe_preempt(thread);
  check_parity(thread, parity, site);
  for (;;) {
    MBarrierState& barrier = use_barrier(thread, *thread.block, address, site);
    if (is_complete(barrier, parity)) return observe(thread, barrier);
    barrier.waiting.push_back(&thread);
    thread.cluster->park(thread, {WaitKind::kMBarrier, address, site});
  }
}

int mbarrier_test(uint32_t address, uint32_t parity, CallSite site) {
  Thread& thread = *running_thread;
  wait_for_warp_ops(thread);
  check_parity(thread, parity, site);
  thread.cluster->poll(thread, site);
  MBarrierState& barrier = use_barrier(thread, *thread.block, address, site);
  if (!is_complete(barrier, parity)) return 0;
  observe(thread, barrier);
  return 1;
}

}  // namespace yolocu::emulation
