// The mbarrier objects of one block.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/emulation/agents.h"
#include "kernels/launch.h"

namespace yolocu::emulation {

struct Thread;
struct Block;
class Cluster;

constexpr uint32_t kMBarrierBytes = 8;

struct MBarrierState {
  uint32_t address = 0;
  uint32_t arrivals = 0;  // a phase takes this many
  uint32_t pending = 0;   // arrivals that are still to come in this phase
  int64_t expected_bytes =
      0;               // of asynchronous copies; below zero if they came before they were expected
  uint64_t phase = 0;  // number of the current one
  bool is_observed = true;  // a wait saw the phase before this one completed
  bool is_fenced = false;   // fence_mbarrier_init came after the initialisation
  uint32_t init_thread = 0, init_clock = 0;
  CallSite init_site = {};
  AgentClock copy = {};        // the last bulk copy that arrives here
  Clock* incoming = nullptr;   // what those who arrived in this phase knew
  Clock* joined = nullptr;     // the last vector that went into it; threads share them
  Clock* completed = nullptr;  // what those who arrived in the phase before knew
  // What threads knew before and after they saw that phase completed: lanes mostly share it.
  struct Learned {
    Clock* before = nullptr;
    Clock* after = nullptr;
  };
  std::array<Learned, 8> learned = {};  // the last ones
  uint32_t next_learned = 0;
  std::vector<Thread*> waiting;
};

// A block has few, so they are found by looking at all.
class MBarriers {
 public:
  MBarrierState* find(uint32_t address);
  // True if [address, address + size) touches a live object.
  bool overlaps(uint32_t address, size_t size) const {
    return address < end_ && address + size > first_ && overlaps_one(address, size);
  }
  MBarrierState& add(uint32_t address);
  void remove(uint32_t address, ClockPool& clocks);
  void clear(ClockPool& clocks);
  std::vector<MBarrierState>& all() { return states_; }

 private:
  void update_bounds();
  bool overlaps_one(uint32_t address, size_t size) const;

  std::vector<MBarrierState> states_;
  uint32_t first_ = UINT32_MAX, end_ = 0;  // bounds of all objects
};

// `bytes` of an asynchronous copy have arrived; whoever sees the phase completed knows `copied`.
void complete_bytes(Cluster& cluster, MBarrierState& barrier, int64_t bytes, AgentClock copied);

// The object at `address` for a use by an asynchronous copy or by another block that `thread`
// issues; fails if there is none or it is not fenced.
MBarrierState& mbarrier_for_copy(Thread& thread, Block& block, uint32_t address, CallSite site);

}  // namespace yolocu::emulation
