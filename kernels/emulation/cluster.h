// The blocks of one cluster, mostly a single one: a fiber for each thread, and who runs when.
// Barriers, collectives, memory and asynchronous copies act on this state from files of their own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/emulation/block.h"
#include "kernels/emulation/clocks.h"
#include "kernels/emulation/counters.h"
#include "kernels/emulation/global_memory.h"
#include "kernels/emulation/options.h"
#include "kernels/emulation/random.h"
#include "kernels/emulation/report.h"
#include "kernels/emulation/sync_variables.h"
#include "kernels/emulation/thread.h"

namespace yolocu::emulation {

// Leaves a kernel after an error; the entry of the fiber catches it.
struct Abort {};

// What the blocks of a launch change together, from any host thread.
struct LaunchState {
  SyncVariables variables;
  // Moves on whenever a thread that polls may find something new.
  std::atomic<uint64_t> progress = 0;

  void note_progress() {
    ++progress;
    progress.notify_all();
  }
};

// What all blocks of a launch share, and do not change.
struct Launch {
  std::string_view name;
  Index3 grid, block, cluster;  // blocks, threads, blocks of a cluster
  uint32_t shared_bytes;
  EmulationOptions options;
  GlobalMemory* memory;
  LaunchEpoch epoch;
  std::function<void()> kernel;
  StartRule start = StartRule::kAfterPrevious;
  LaunchState* state = nullptr;
};

class Cluster {
 public:
  Cluster(const Launch& launch, const StackPool& stacks);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Threads of a cluster: how many stacks it takes.
  static size_t thread_count(const Launch& launch);

  // Prepares cluster `number` of the grid, whose first block is `first`. Then resume() until it
  // says kFinished, on one host thread.
  void start(uint32_t number, Index3 first, uint64_t seed);
  // kPolling: all threads that could run only look again at what has not changed, so that another
  // cluster must go on. kYielding: another one may, as this one has changed much.
  enum class Progress : uint8_t { kFinished, kPolling, kYielding };
  Progress resume();
  // The first error, if there was one.
  const std::optional<Violation>& violation() const { return violation_; }
  // Ends a cluster whose resume() did not finish. No error.
  void abandon();
  // Who waits where, for a report; and a thread that does.
  std::string waiting_text() const;
  const Thread& waiting_thread() const;

  // Stops the running thread until make_ready; throws Abort if the cluster fails meanwhile.
  void park(Thread& thread, const Wait& wait);
  void make_ready(Thread& thread);
  // Lets all others run first, as a loop that waits for them expects.
  void poll(Thread& thread, CallSite site);
  // The running thread changed a word that others may poll.
  void note_change();
  // Now and then lets another thread run first.
  void maybe_preempt(Thread& thread) {
    if (--until_preemption_ == 0) preempt(thread);
  }
  bool has_exited(const Warp& warp) const;
  // 0..bound-1, by the seed.
  uint32_t draw(uint32_t bound) { return random_.below(bound); }
  // Fails unless the emulated device has what compute capability `lowest` brought.
  void require(const Thread& thread, int lowest, std::string_view what, CallSite site) {
    if (launch.options.compute_capability < lowest) fail_capability(thread, what, site);
  }
  [[noreturn]] void fail_capability(const Thread& thread, std::string_view what, CallSite site);
  // Reports the cluster's first error and lets all threads leave their kernel.
  void abandon_kernel(const Thread& thread, CallSite site, std::string what) {
    report(thread, site, std::move(what));
    begin_abort();
  }
  // The same, and throws Abort.
  [[noreturn]] void fail(const Thread& thread, CallSite site, std::string what);

  // The thread as one that accesses global memory; or as one that knows no more than `known`, for
  // accesses that it started earlier.
  GlobalAccessor accessor(const Thread& thread, const Clock& known) {
    return {.epoch = launch.epoch.epoch,
            .cluster = number,
            .thread = thread.id,
            .clock = thread.clock,
            .first_unfinished =
                known.prior_grids_are_over ? launch.epoch.epoch : launch.epoch.first_in_chain,
            .first_in_chain = launch.epoch.first_in_chain,
            .known = &known,
            .foreign = &known.foreign,
            .sites = &worker.sites()};
  }
  // An asynchronous operation that `issuer` started.
  GlobalAccessor accessor(const Thread& issuer, const AsyncAgent& agent) {
    GlobalAccessor by = accessor(issuer, *agent.known);
    by.thread = agent.id.agent;
    by.clock = by.in_order_since = agent.id.clock;
    return by;
  }
  GlobalAccessor accessor(const Thread& thread) { return accessor(thread, *thread.known); }

  uint16_t site_number(const CallSite& site) {
    return static_cast<uint16_t>(worker.sites().number(site));
  }

  const Launch& launch;
  uint32_t number = 0;  // in the grid
  GlobalMemory::Worker worker;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<Block> blocks;
  ClusterBarrier cluster_barrier;
  std::vector<BulkLoad> bulk_loads;  // under way
  std::array<uint32_t, kAgents> agent_clocks = {};
  ClockPool clocks;
  Counters counters;
  // Part of the counters: accesses of threads that poll.
  int64_t polled_read_bytes = 0, polled_written_bytes = 0;

 private:
  static void enter(void* thread);
  void run_kernel(Thread& thread);
  void reset(Block& block);
  void reset(Thread& thread);
  void exit_thread(Thread& thread);
  void preempt(Thread& thread);
  Thread* pick_ready(const Thread* running);
  Thread* next_thread(const Thread* running);
  Fiber& next_fiber(const Thread* running);
  void wake_pollers();
  void switch_from(Thread& running);
  void report(const Thread& thread, CallSite site, std::string what);
  void begin_abort();
  void report_deadlock();
  void report_forgotten_loads();
  void report_missing_waits();

  const StackPool& stacks_;
  Fiber host_;
  Random random_;
  uint32_t until_preemption_ = 1;
  size_t exited_ = 0;
  size_t polling_ = 0;    // threads in WaitKind::kPoll
  uint32_t changes_ = 0;  // of words, since resume()
  bool aborting_ = false;
  std::vector<char> started_;
  std::optional<Violation> violation_;
};

}  // namespace yolocu::emulation
