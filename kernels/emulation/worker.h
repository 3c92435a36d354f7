// One host thread of a launch: runs clusters, several in turn if they wait for each other.
#pragma once

#include <deque>

#include "kernels/emulation/launch_work.h"

namespace yolocu::emulation {

// Clusters are run one after the other. Only if one polls, as it waits for another, or goes on for
// long without an end, does the worker begin further ones beside it.
class Worker {
 public:
  // stacks: of the first cluster.
  Worker(LaunchWork& work, StackPool& stacks, uint64_t seed)
      : work_(work), stacks_(stacks), random_(seed) {}

  // Until no cluster is left, or an error has stopped the launch.
  void run();

 private:
  size_t running() const;
  Resident* pick(uint64_t progress);
  Resident* start_next();
  Resident* free_place();
  StackPool* more_stacks();
  void step(Resident& resident, uint64_t progress);

  LaunchWork& work_;
  StackPool& stacks_;
  Random random_;
  std::deque<StackPool> more_stacks_;
  Residents residents_;
  bool is_full_ = false;  // there is no room for another resident
  LaunchWork::Conduct conduct_ = LaunchWork::Conduct::kOnlyPolled;
};

}  // namespace yolocu::emulation
