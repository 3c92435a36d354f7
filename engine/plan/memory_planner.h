// Packs buffers with known lifetimes into one arena.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace yolocu {

// A buffer that is live from step `first` to step `last`, both included.
struct BufferRequest {
  int64_t size_bytes = 0;
  int first = 0;
  int last = 0;
};

// How long the network's input keeps its memory: until its last reader, whose followers may reuse
// it, or to the end, so that the same input can run again and again.
enum class InputLifetime : uint8_t { kUntilRead, kKept };

struct ArenaPlan {
  std::vector<int64_t> offsets;   // one a request, multiples of the alignment
  int64_t size_bytes = 0;         // of the arena
  int64_t lower_bound_bytes = 0;  // most bytes live at one step: no plan can be smaller
};

// Greedy: one request after the other, each at the lowest offset where it overlaps no placed buffer
// whose lifetime meets its own; the best of three orders, by falling size, by falling size times
// lifetime, and by beginning. O(n^2). Zero-sized requests get offset 0.
ArenaPlan plan_arena(std::span<const BufferRequest> requests, int64_t alignment);

}  // namespace yolocu
