// Non-maximum suppression with the exact rule of the official non_max_suppression.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/launch.h"
#include "kernels/nms/candidates.h"
#include "yolocu/status.h"

namespace yolocu {

// NmsProblem::class_offset of the official YOLOv9 and YOLOv7 code; or boxes of all classes compete.
constexpr float kClassOffsetYolov9 = 7680.0f;
constexpr float kClassOffsetYolov7 = 4096.0f;
constexpr float kClassAgnostic = 0.0f;

// Of each picture's candidates the best max_candidates, in the order of their keys: one is dropped
// if IoU > iou with one that was kept before; the first max_detections that are kept are the
// detections. IoU is of boxes with class * class_offset added to all four coordinates, in f32 and
// in the order of operations of the official code, which also decides what NaN and infinity do.
struct NmsProblem {
  int64_t batch = 1;
  int64_t capacity = 0;  // candidates that a list has room for
  int64_t classes = 1;   // candidate_index = anchor * classes + class
  int64_t max_candidates = 30000;
  int64_t max_detections = 300;
  double iou = 0.45;  // double: the official code compares an f32 overlap with it in double
  float class_offset = kClassOffsetYolov9;
};

// Corners in pixels of the network input.
struct NmsDetection {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0, score = 0;
  int32_t class_id = 0;
};

// kNaive: a block per picture searches all candidates for the next to keep.
// kSorted: tiles are sorted, then merged, by blocks all over the device; then a block per picture
// goes through its candidates in order, a chunk at a time, until max_detections are kept. A picture
// whose candidates fit into one tile is not merged.
enum class NmsAlgorithm : uint8_t { kNaive, kSorted };

// One line of variants.inc.
struct NmsVariant {
  std::string_view name;
  NmsAlgorithm algorithm;
};

// The inventory: the naive variant first.
std::span<const NmsVariant> nms_variants();

// kInvalidArgument: the problem makes no sense (says why). kUnsupported: more pictures, candidates
// or detections than a launch or 2^20 allows; kNaive with capacity > max_candidates, for it cannot
// tell which candidates are beyond the limit.
Status can_implement(const NmsVariant& variant, const NmsProblem& problem);

// kSorted, whose cost hardly depends on how many boxes are kept. Errors of can_implement. Pure.
Result<NmsVariant> select_nms(const NmsProblem& problem);

// Scratch memory of a problem that passed can_implement.
int64_t nms_workspace_bytes(const NmsVariant& variant, const NmsProblem& problem);

// Device memory of the caller, alive until the stream gets there. What lies beyond a count in
// `detections` is zero.
struct NmsTensors {
  NmsDetection* detections = nullptr;   // [batch, max_detections]
  int32_t* detection_counts = nullptr;  // [batch]
  CandidateLists candidates = {};       // only read
  void* workspace = nullptr;            // nms_workspace_bytes, 256-byte aligned
};

// kInvalidArgument: a pointer is null or misaligned.
Status check_tensors(const NmsTensors& tensors);

// Enqueues the suppression and returns; the host learns nothing of the counts, so it can be
// captured. The result depends on the set of candidates alone, not on their order in the lists: it
// is the official one if counts[b] <= capacity, or if the list holds the best max_candidates.
// Scores are above 0. Errors of can_implement, check_tensors and launch(). The function:
// KernelTable::nms. Source: non_max_suppression in utils/general.py of WongKinYiu/yolov9.
using Nms = Status(const NmsTensors& tensors, const NmsProblem& problem, const NmsVariant& variant,
                   Stream stream);

}  // namespace yolocu
