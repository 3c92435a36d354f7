// Vector clocks: which accesses of other threads a thread is ordered after. A barrier hands one
// vector to all who pass it, so vectors are shared and never change once shared.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/emulation/foreign_knowledge.h"

namespace yolocu::emulation {

// known[t]: everything that thread t did up to its own clock known[t] happened before. After the
// threads come the agents of asynchronous copies, numbered alike. The second half, fenced(t), is
// the part of it that thread t fenced for the asynchronous proxy.
struct Clock {
  uint32_t references = 0;
  std::vector<uint32_t> known;
  ForeignKnowledge foreign;           // the same of other clusters
  bool prior_grids_are_over = false;  // somebody waited for them: wait_for_prior_grids

  uint32_t& fenced(size_t thread) { return known[known.size() / 2 + thread]; }
  uint32_t fenced(size_t thread) const { return known[known.size() / 2 + thread]; }
};

// Reuses vectors; owns all of them. For one host thread.
class ClockPool {
 public:
  // Threads and agents.
  void set_entries(size_t entries) { entries_ = entries; }

  // All zeros, one reference.
  Clock* create() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Clock>());
      free_.push_back(all_.back().get());
    }
    Clock* clock = free_.back();
    free_.pop_back();
    clock->references = 1;
    clock->known.assign(entries_ * 2, 0);
    clock->foreign = {};
    clock->prior_grids_are_over = false;
    return clock;
  }

  // One reference.
  Clock* copy(const Clock& clock) {
    Clock* made = create();
    made->known = clock.known;
    made->foreign = clock.foreign;
    made->prior_grids_are_over = clock.prior_grids_are_over;
    return made;
  }

  void release(Clock* clock) {
    if (clock != nullptr && --clock->references == 0) free_.push_back(clock);
  }

  // `held` becomes a further reference to `clock`.
  void share(Clock*& held, Clock* clock) {
    ++clock->references;
    release(held);
    held = clock;
  }

 private:
  size_t entries_ = 0;
  std::vector<std::unique_ptr<Clock>> all_;
  std::vector<Clock*> free_;
};

// into = max(into, from), thread by thread.
inline void join(Clock& into, const Clock& from) {
  for (size_t i = 0; i < into.known.size(); ++i) {
    into.known[i] = std::max(into.known[i], from.known[i]);
  }
  if (!from.foreign.empty()) into.foreign = merge(into.foreign, from.foreign);
  into.prior_grids_are_over |= from.prior_grids_are_over;
}

}  // namespace yolocu::emulation
