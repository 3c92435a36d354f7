// Candidates: boxes that non-maximum suppression may keep, as decode lists them and nms reads them.
#pragma once

#include <cstdint>

#include "kernels/device/target.h"

namespace yolocu {

// Corners in pixels of the network input.
struct alignas(16) CandidateBox {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

// Lists of all pictures, in device memory of the caller; the order within a list means nothing.
// counts[b] is how many candidates picture b has; its list holds the first min(counts[b], capacity)
// slots.
struct CandidateLists {
  CandidateBox* boxes = nullptr;  // [batch, capacity], 16-byte aligned
  uint64_t* keys = nullptr;       // [batch, capacity], candidate_key
  int32_t* counts = nullptr;      // [batch]
};

// Where a candidate stands: smaller keys first, that is descending score, then ascending index.
// score_bits: the bits of a score above 0, which order as the score does. index = anchor * classes
// + class; no two candidates of a picture share one, so the order is total.
YOLOCU_HOST_DEVICE constexpr uint64_t candidate_key(uint32_t score_bits, uint32_t index) {
  return uint64_t{~score_bits} << 32 | index;
}
YOLOCU_HOST_DEVICE constexpr uint32_t candidate_score_bits(uint64_t key) {
  return ~static_cast<uint32_t>(key >> 32);
}
YOLOCU_HOST_DEVICE constexpr uint32_t candidate_index(uint64_t key) {
  return static_cast<uint32_t>(key);
}

// After every key.
constexpr uint64_t kNoCandidate = ~uint64_t{0};

}  // namespace yolocu
