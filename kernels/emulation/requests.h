// Groups the accesses of a warp's lanes into the requests that the hardware would make.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/emulation/counters.h"
#include "kernels/launch.h"

namespace yolocu::emulation {

enum class Space : uint8_t { kGlobal, kShared };

// The n-th access of each lane at one place in the source is one request: lanes run one after the
// other here, but a warp executes that instruction at once.
class RequestLog {
 public:
  struct Entry {
    CallSite site;
    Space space;
    uint32_t lane;
    uint32_t turn;  // n
    uint64_t address;
    uint32_t size;
  };

  // turn is filled in by count().
  void add(const Entry& entry) { entries_.push_back(entry); }
  // Adds all that was logged to the counters and forgets it.
  void count(Counters& counters);

 private:
  std::vector<Entry> entries_;
};

}  // namespace yolocu::emulation
