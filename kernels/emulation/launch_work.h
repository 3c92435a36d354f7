// What the host threads of one launch share: which cluster comes next, the first error, and whether
// anything still moves.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernels/emulation/cluster.h"
#include "kernels/emulation/counters.h"
#include "kernels/emulation/random.h"
#include "yolocu/status.h"

namespace yolocu::emulation {

// The grid in clusters.
Index3 clusters_of(const Launch& launch);
uint64_t volume(const Index3& extent);

// Clusters in an order drawn from the seed: i -> (first + i * step) mod count, with a step that has
// no divisor in common with count, visits each once.
class ClusterOrder {
 public:
  // grid: in clusters.
  ClusterOrder(Index3 grid, uint64_t seed);

  uint64_t count() const { return count_; }
  // Number of the i-th cluster to run; i < count() < 2^32.
  uint64_t cluster(uint64_t i) const { return (first_ + i * step_) % count_; }
  Index3 index(uint64_t cluster) const {
    return {static_cast<uint32_t>(cluster % grid_.x),
            static_cast<uint32_t>(cluster / grid_.x % grid_.y),
            static_cast<uint32_t>(cluster / grid_.x / grid_.y)};
  }

 private:
  Index3 grid_;
  uint64_t count_, first_, step_;
};

// A cluster that a worker has begun, or one that is over and whose place can be used again.
struct Resident {
  Resident(const Launch& launch, const StackPool& stacks) : cluster(launch, stacks) {}

  Cluster cluster;
  bool is_running = false;
  uint64_t seen = 0;  // LaunchState::progress before it last polled in vain
};
using Residents = std::vector<std::unique_ptr<Resident>>;

class LaunchWork {
 public:
  // workers: that will enter.
  LaunchWork(const Launch& launch, uint64_t workers, size_t residents_of_each);

  const Launch& launch() const { return launch_; }
  size_t residents_of_each() const { return residents_of_each_; }

  struct Next {
    uint32_t number;
    Index3 first_block;
  };
  // The next cluster to start, if one is left.
  std::optional<Next> take();

  void enter(const Residents& residents);
  // None of them runs any more.
  void leave(const Residents& residents);

  // The first error is kept; all workers stop.
  void stop_with(Status status);
  bool is_stopped() const { return stop_; }

  // What a worker's residents did since it last waited.
  enum class Conduct : uint8_t { kOnlyPolled, kOther };
  // All of the caller's residents polled in vain at this progress: returns when they may try again.
  // Once all workers have come here often enough and nothing changed, stops with a deadlock.
  void wait_for_progress(uint64_t seen, Conduct conduct);

  // After all workers have left.
  const Status& status() const { return status_; }
  const Counters& counters() const { return counters_; }

 private:
  bool are_all_idle(uint64_t seen, Conduct conduct);
  void try_again(uint64_t seen);
  Status deadlock() const;
  std::string missing_blocks_text() const;

  const Launch& launch_;
  const ClusterOrder order_;
  const uint64_t workers_;
  const size_t residents_of_each_;
  std::atomic<uint64_t> next_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;  // guards the rest
  Status status_;
  Counters counters_;
  std::vector<const Residents*> residents_;  // of workers that have entered and not left
  uint64_t active_;                          // workers that have not left
  uint64_t idle_ = 0, idle_at_ = 0;          // workers that wait, at this progress
  Conduct conduct_ = Conduct::kOnlyPolled;   // of those
  uint64_t tried_at_ = 0;                    // progress of the last try
  int in_vain_ = 0;                          // weight of the tries since something changed
};

}  // namespace yolocu::emulation
