// Vector clocks: which accesses of other threads a thread is ordered after. A barrier hands one
// vector to all who pass it, so vectors are shared and never change once shared.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace yolocu::emulation {

// known[t]: everything that thread t did up to its own clock known[t] happened before.
struct Clock {
  uint32_t references = 0;
  std::vector<uint32_t> known;
};

// Reuses vectors; owns all of them. For one host thread.
class ClockPool {
 public:
  void set_threads(size_t threads) { threads_ = threads; }

  // All zeros, one reference.
  Clock* create() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Clock>());
      free_.push_back(all_.back().get());
    }
    Clock* clock = free_.back();
    free_.pop_back();
    clock->references = 1;
    clock->known.assign(threads_, 0);
    return clock;
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
  size_t threads_ = 0;
  std::vector<std::unique_ptr<Clock>> all_;
  std::vector<Clock*> free_;
};

// into = max(into, from), thread by thread.
inline void join(Clock& into, const Clock& from) {
  for (size_t i = 0; i < into.known.size(); ++i) {
    into.known[i] = std::max(into.known[i], from.known[i]);
  }
}

}  // namespace yolocu::emulation
