// How a launch is emulated.
#pragma once

#include <cstdint>

namespace yolocu::emulation {

enum class RaceCheck : uint8_t { kOff, kOn };  // races, uninitialised and in-flight shared bytes
enum class Counting : uint8_t { kTotals, kRequests };
// When the bytes of cp.async appear: at the wait that guarantees them, or at once. A correct kernel
// cannot tell.
enum class AsyncDelivery : uint8_t { kLate, kEarly };

struct EmulationOptions {
  uint64_t seed = 1;  // order of blocks, warps and lanes, and preemption
  RaceCheck races = RaceCheck::kOn;
  Counting counting = Counting::kTotals;
  AsyncDelivery delivery = AsyncDelivery::kLate;
  int workers = 1;  // host threads; each runs whole blocks. Results of a correct kernel do not vary
  // Clusters that one worker runs in turn where they wait for each other: all that a persistent
  // kernel has must fit into workers x resident_blocks. Fewer where they have many threads: 24,576
  // of all workers.
  int resident_blocks = 32;
  int compute_capability = 90;  // of the device, 10 * major + minor
};

}  // namespace yolocu::emulation
