#include "kernels/emulation/cluster.h"

#include <algorithm>
#include <bit>

#include "engine/base/str_cat.h"
#include "kernels/emulation/collective.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {

constinit thread_local Thread* running_thread = nullptr;

namespace {

// A warp goes on until it waits, but for 1 in this many choices: real warps overlap.
constexpr uint32_t kChoicesPerWarpChange = 16;
// A thread is preempted after 1 to this many memory accesses.
constexpr uint32_t kMostAccessesPerTurn = 256;
// A cluster lets others go on after this many changes of words: its threads may fight for a lock
// and so wait, without ever polling, for what another cluster does.
constexpr uint32_t kMostChangesPerTurn = 4096;
constexpr int kPoison = 0xFF;  // NaN in every float type

uint32_t volume(const Index3& extent) {
  return extent.x * extent.y * extent.z;
}

Index3 index_of(uint32_t rank, const Index3& extent) {
  return {rank % extent.x, rank / extent.x % extent.y, rank / extent.x / extent.y};
}

Index3 sum(const Index3& a, const Index3& b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}

}  // namespace

size_t Cluster::thread_count(const Launch& launch) {
  return size_t{volume(launch.block)} * volume(launch.cluster);
}

Cluster::Cluster(const Launch& shared_launch, const StackPool& stacks)
    : launch(shared_launch),
      worker(*shared_launch.memory),
      threads(thread_count(launch)),
      stacks_(stacks),
      random_(0),
      started_(threads.size()) {
  clocks.set_entries(threads.size() + kAgents);
  const uint32_t per_block = volume(launch.block);
  const uint32_t warps_per_block = (per_block + kLanes - 1) / kLanes;
  warps.resize(size_t{warps_per_block} * volume(launch.cluster));
  blocks.reserve(volume(launch.cluster));
  for (uint32_t i = 0; i < volume(launch.cluster); ++i) {
    Block& block = blocks.emplace_back(launch.shared_bytes, launch.memory->sites());
    block.cluster_rank = i;
    block.first_thread = i * per_block;
    block.thread_count = per_block;
    block.first_warp = i * warps_per_block;
    block.warp_count = warps_per_block;
  }
  for (uint32_t i = 0; i < threads.size(); ++i) {
    Thread& thread = threads[i];
    thread.cluster = this;
    thread.block = &blocks[i / per_block];
    thread.id = i;
    thread.rank = i % per_block;
    thread.index = index_of(thread.rank, launch.block);
    thread.warp = &warps[thread.block->first_warp + thread.rank / kLanes];
    if (thread.lane() == 0) thread.warp->first_thread = i;
    thread.warp->lanes |= 1u << thread.lane();
  }
}

void Cluster::reset(Block& block) {
  std::fill(block.shared.begin(), block.shared.end(), static_cast<std::byte>(kPoison));
  block.shadow.reset();
  block.mbarriers.clear(clocks);
  block.outside_uses.clear(clocks);
  block.exited = 0;
  reset_warpgroups(block);
  for (Barrier& named : block.barriers) {
    clocks.release(named.released);
    clocks.release(named.joined);
    named.released = named.joined = nullptr;
    named.arrived = named.predicates = 0;
    named.waiting.clear();
  }
}

void Cluster::reset(Thread& thread) {
  thread.wait = {};
  thread.clock = 1;
  thread.fenced = 0;
  thread.fences.clear();
  thread.poll = {};
  for (size_t i = thread.copies.first; i < thread.copies.items.size(); ++i) {
    clocks.release(thread.copies.items[i].known);
  }
  thread.copies.clear();
  for (const BulkStore& store : thread.stores.items) {
    clocks.release(store.agent.known);
    clocks.release(store.writer.known);
  }
  thread.stores.clear();
  thread.posted = 0;
  thread.matrix_registers = 0;
  thread.cluster_arrivals = thread.cluster_rounds = 0;
  thread.fiber.prepare(stacks_.stack(thread.id), &Cluster::enter, &thread);
}

void Cluster::start(uint32_t cluster_number, Index3 first, uint64_t seed) {
  number = cluster_number;
  random_ = Random(seed);
  until_preemption_ = 1 + random_.below(kMostAccessesPerTurn);
  exited_ = polling_ = 0;
  aborting_ = false;
  violation_.reset();
  std::fill(started_.begin(), started_.end(), char{0});
  clocks.release(cluster_barrier.incoming);
  clocks.release(cluster_barrier.completed);
  cluster_barrier = {};
  agent_clocks = {};
  for (Block& block : blocks) {
    block.index = sum(first, index_of(block.cluster_rank, launch.cluster));
    reset(block);
  }
  Clock* nothing_known = clocks.create();
  for (Thread& thread : threads) {
    reset(thread);
    clocks.share(thread.known, nothing_known);
  }
  clocks.release(nothing_known);
  for (Warp& warp : warps) {
    warp.ready = warp.lanes;
    warp.exited = 0;
    warp.collectives = {};
    reset_warp_ops(warp);
    reset_wgmma(*this, warp);
  }
}

Cluster::Progress Cluster::resume() {
  wake_pollers();
  changes_ = 0;
  Fiber::switch_to(host_, next_fiber(nullptr));
  running_thread = nullptr;
  if (exited_ < threads.size()) {
    return changes_ < kMostChangesPerTurn ? Progress::kPolling : Progress::kYielding;
  }
  report_forgotten_loads();
  report_missing_waits();
  for (Warp& warp : warps) warp.requests.count(counters);
  counters.blocks += static_cast<int64_t>(blocks.size());
  return Progress::kFinished;
}

// All threads have exited, and nobody waited for these.
void Cluster::report_forgotten_loads() {
  if (!bulk_loads.empty()) {
    report(*bulk_loads[0].issuer, bulk_loads[0].site,
           "the block exits with a bulk load that nobody waited for");
  }
  for (BulkLoad& load : bulk_loads) clocks.release(load.agent.known);
  bulk_loads.clear();
}

// A grid is over only once the threads that waited for the grids before it have left, so that one
// is enough; but no block should count on another.
void Cluster::report_missing_waits() {
  if (launch.start == StartRule::kAfterPrevious || aborting_) return;
  for (const Block& block : blocks) {
    const Thread* first = &threads[block.first_thread];
    if (std::none_of(first, first + block.thread_count,
                     [](const Thread& thread) { return thread.known->prior_grids_are_over; })) {
      report(*first, {},
             "the block of a dependent launch exits and no thread of it called "
             "wait_for_prior_grids: the next grid would not wait for those before this one");
    }
  }
}

void Cluster::poll(Thread& thread, CallSite site) {
  ++polling_;
  park(thread, {WaitKind::kPoll, 0, site});
}

void Cluster::wake_pollers() {
  if (polling_ == 0) return;
  for (Thread& thread : threads) {
    if (thread.wait.kind == WaitKind::kPoll) make_ready(thread);
  }
}

void Cluster::note_change() {
  ++changes_;
  launch.state->note_progress();
  wake_pollers();
}

void Cluster::abandon() {
  begin_abort();
  resume();
}

void Cluster::enter(void* argument) {
  auto& thread = *static_cast<Thread*>(argument);
  thread.cluster->run_kernel(thread);
  thread.cluster->exit_thread(thread);
}

void Cluster::run_kernel(Thread& thread) {
  started_[thread.id] = 1;
  try {
    launch.kernel();
    wait_for_warp_ops(thread);
    finish_bulk_stores(thread);
    finish_wgmma(thread);
    if (thread.copies.first < thread.copies.items.size()) {
      fail(thread, thread.copies.items[thread.copies.first].site,
           "the thread exits with an asynchronous copy that it never waited for");
    }
    finish_outside_uses(thread);
    leave_collectives(thread);
  } catch (const Abort&) {
    // Reported where it was thrown.
  } catch (const std::exception& error) {
    report(thread, {}, str_cat("the kernel threw an exception: ", error.what()));
    begin_abort();
  } catch (...) {
    report(thread, {}, "the kernel threw an exception");
    begin_abort();
  }
}

void Cluster::exit_thread(Thread& thread) {
  thread.wait = {WaitKind::kExited, 0, {}};
  thread.warp->ready &= ~(1u << thread.lane());
  ++exited_;
  ++thread.block->exited;
  Fiber::leave(thread.fiber, next_fiber(&thread));
}

bool Cluster::has_exited(const Warp& warp) const {
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    if ((warp.lanes >> lane & 1u) == 0) continue;
    if (threads[warp.first_thread + lane].wait.kind != WaitKind::kExited) return false;
  }
  return true;
}

// Any ready thread: mostly of the warp that ran, sometimes of another; any lane.
Thread* Cluster::pick_ready(const Thread* running) {
  const auto warp_count = static_cast<uint32_t>(warps.size());
  uint32_t first = running == nullptr ? 0 : static_cast<uint32_t>(running->warp - warps.data());
  if (running == nullptr || warps[first].ready == 0 || random_.below(kChoicesPerWarpChange) == 0) {
    first = random_.below(warp_count);
  }
  for (uint32_t i = 0; i < warp_count; ++i) {
    const Warp& warp = warps[(first + i) % warp_count];
    if (warp.ready == 0) continue;
    const uint32_t turn = random_.below(kLanes);
    const auto lane =
        static_cast<uint32_t>(std::countr_zero(std::rotr(warp.ready, static_cast<int>(turn))));
    return &threads[warp.first_thread + (lane + turn) % kLanes];
  }
  return nullptr;
}

// Bulk loads arrive when nobody can go on without them: as late as may be. Not after an error: who
// waited for them has left.
Thread* Cluster::next_thread(const Thread* running) {
  Thread* next = pick_ready(running);
  while (next == nullptr && !aborting_ && deliver_bulk_load(*this)) next = pick_ready(running);
  return next;
}

// Whoever goes on; the host once all have exited, or only threads that poll are left.
Fiber& Cluster::next_fiber(const Thread* running) {
  Thread* next = next_thread(running);
  if (next == nullptr && exited_ < threads.size() && polling_ == 0) {
    report_deadlock();
    next = pick_ready(running);
  }
  running_thread = next;
  return next == nullptr ? host_ : next->fiber;
}

// Switches to another thread, and comes back when it is this one's turn.
void Cluster::switch_from(Thread& running) {
  Fiber& next = next_fiber(&running);
  if (&next != &running.fiber) Fiber::switch_to(running.fiber, next);
  if (aborting_) throw Abort{};
}

void Cluster::park(Thread& thread, const Wait& wait) {
  thread.wait = wait;
  thread.warp->ready &= ~(1u << thread.lane());
  switch_from(thread);
}

void Cluster::make_ready(Thread& thread) {
  if (thread.wait.kind == WaitKind::kPoll) --polling_;
  thread.wait = {};
  thread.warp->ready |= 1u << thread.lane();
}

void Cluster::preempt(Thread& thread) {
  until_preemption_ = 1 + random_.below(kMostAccessesPerTurn);
  if (changes_ < kMostChangesPerTurn) return switch_from(thread);
  Fiber::switch_to(thread.fiber, host_);
  if (aborting_) throw Abort{};
}

void Cluster::report(const Thread& thread, CallSite site, std::string what) {
  if (!violation_) violation_ = Violation{std::move(what), thread.block->index, thread.index, site};
}

void Cluster::fail_capability(const Thread& thread, std::string_view what, CallSite site) {
  fail(thread, site,
       str_cat("the emulated device, sm_", launch.options.compute_capability, ", has no ", what));
}

void Cluster::fail(const Thread& thread, CallSite site, std::string what) {
  report(thread, site, std::move(what));
  begin_abort();
  throw Abort{};
}

// Every thread that has begun runs once more, to leave its kernel by Abort: destructors run, and
// nothing on its stack is lost. Those that have not begun never do.
void Cluster::begin_abort() {
  if (aborting_) return;
  aborting_ = true;
  for (Thread& thread : threads) {
    if (thread.wait.kind == WaitKind::kExited) continue;
    if (started_[thread.id] != 0) {
      make_ready(thread);
      continue;
    }
    thread.wait.kind = WaitKind::kExited;
    thread.warp->ready &= ~(1u << thread.lane());
    ++exited_;
  }
}

const Thread& Cluster::waiting_thread() const {
  return *std::find_if(threads.begin(), threads.end(),
                       [](const Thread& thread) { return thread.wait.kind != WaitKind::kExited; });
}

void Cluster::report_deadlock() {
  const Thread& waiting = waiting_thread();
  report(waiting, waiting.wait.site, str_cat("deadlock, no thread can run: ", waiting_text()));
  begin_abort();
}

}  // namespace yolocu::emulation
