// Clusters of threads without an emulator: clocks, knowledge and accessors, for tests of what
// checks global memory.
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/emulation/global_shadow.h"
#include "kernels/emulation/sync_variables.h"

namespace yolocu::testing {

// Threads of `clusters` clusters in one launch. Thread t is number t % threads of cluster
// t / threads.
class ThreadModel {
 public:
  ThreadModel(uint32_t clusters, uint32_t threads) : per_cluster_(threads) {
    clocks_.set_entries(threads);
    for (uint32_t t = 0; t < clusters * threads; ++t) {
      Thread& thread = threads_.emplace_back();
      thread.known = clocks_.create();
    }
  }

  size_t size() const { return threads_.size(); }
  uint32_t cluster_of(uint32_t t) const { return t / per_cluster_; }

  // The next launch: nothing is known yet. Dependent: before wait().
  void start_launch(uint32_t epoch, uint32_t first_in_chain) {
    epoch_ = epoch;
    first_in_chain_ = first_in_chain;
    variables.emplace();
    for (Thread& thread : threads_) {
      clocks_.release(thread.known);
      thread.known = clocks_.create();
      thread.clock = 1;
      thread.fences.clear();
      thread.first_unfinished = first_in_chain;
    }
  }
  void start_launch() { start_launch(epoch_ + 1, epoch_ + 1); }
  // wait_for_prior_grids.
  void wait(uint32_t t) { threads_[t].first_unfinished = epoch_; }

  emulation::GlobalAccessor accessor(uint32_t t) {
    Thread& thread = threads_[t];
    return {.epoch = epoch_,
            .cluster = cluster_of(t),
            .thread = t % per_cluster_,
            .clock = thread.clock,
            .first_unfinished = thread.first_unfinished,
            .first_in_chain = first_in_chain_,
            .known = thread.known,
            .foreign = &thread.known->foreign,
            .sites = &sites_};
  }
  emulation::SyncThread sync(uint32_t t) {
    Thread& thread = threads_[t];
    return {cluster_of(t), t % per_cluster_, thread.clock, 0, thread.known, clocks_, thread.fences};
  }

  // A barrier of all threads of a cluster, as barrier.cpp has it.
  void barrier(uint32_t cluster) {
    emulation::Clock* released = clocks_.create();
    const uint32_t first = cluster * per_cluster_;
    for (uint32_t t = first; t < first + per_cluster_; ++t) {
      join(*released, *threads_[t].known);
      released->known[t - first] = threads_[t].clock++;
    }
    for (uint32_t t = first; t < first + per_cluster_; ++t) {
      clocks_.share(threads_[t].known, released);
    }
    clocks_.release(released);
  }

  std::optional<emulation::SyncVariables> variables{std::in_place};
  emulation::SiteTable site_table;

 private:
  struct Thread {
    uint32_t clock = 1, first_unfinished = 1;
    emulation::Clock* known = nullptr;
    emulation::FenceKnowledge fences;
  };

  uint32_t per_cluster_;
  uint32_t epoch_ = 1, first_in_chain_ = 1;
  emulation::ClockPool clocks_;
  std::deque<Thread> threads_;
  emulation::SiteCache sites_{site_table};
};

}  // namespace yolocu::testing
