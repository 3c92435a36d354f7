// Choices of the nms kernels, and the layout of their scratch memory. Host code, no CUDA.
#pragma once

#include "kernels/nms/nms.h"

namespace yolocu {

// Candidates that one block sorts in shared memory. 1024: a picture at the usual thresholds has
// some hundred at most, and so is done after one tile.
constexpr int kNmsTile = 1024;

// Threads of every block.
constexpr int kNmsThreads = 512;
static_assert(kNmsTile == 2 * kNmsThreads, "a thread compares one pair of a tile in each step");

// Shared memory of a block that sorts: keys [kNmsTile] uint64_t, then slots [kNmsTile] uint32_t.
constexpr int64_t kNmsSortBytes = kNmsTile * 12;
// Of a block that selects: boxes [kNmsThreads] CandidateBox, then one word per warp that says which
// lanes' candidates are kept.
constexpr int64_t kNmsSelectBytes = kNmsThreads * 16 + kNmsThreads / 32 * 4;
// Of a block of kNaive: the best box, then the best key of each warp.
constexpr int64_t kNmsNaiveBytes = 16 + kNmsThreads / 32 * 8;

// Byte offsets into the workspace.
struct NmsWorkspace {
  int64_t keys = 0;   // [batch, capacity] uint64_t: sorted by tiles; kNaive: what remains
  int64_t slots = 0;  // [batch, capacity] uint32_t: where in the list the key's candidate is
  int64_t order = 0;  // [batch, capacity] uint32_t: slots in the order of all keys
  int64_t kept = 0;   // [batch, max_detections] CandidateBox, offset by class
  int64_t bytes = 0;
};

NmsWorkspace nms_workspace(const NmsVariant& variant, const NmsProblem& problem);

// grid.x of the kernels that work by tiles.
constexpr int64_t nms_tiles(const NmsProblem& problem) {
  return (problem.capacity + kNmsTile - 1) / kNmsTile;
}

// The largest float that is not above `iou`: comparing an f32 overlap with it decides as comparing
// with `iou` in double.
float nms_threshold(double iou);

}  // namespace yolocu
