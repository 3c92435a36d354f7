// What the nms kernels get by value, the part of one picture, and the overlap of two boxes.
#pragma once

#include "kernels/device/memory.h"
#include "kernels/device/scalar.h"
#include "kernels/device/threads.h"
#include "kernels/nms/nms.h"
#include "kernels/nms/tile.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

struct NmsArguments {
  device::GlobalPtr<uint32_t> detections;  // [batch, max_detections, kDetectionWords]
  device::GlobalPtr<int32_t> detection_counts;
  device::GlobalPtr<const CandidateBox> boxes;
  device::GlobalPtr<const uint64_t> keys;
  device::GlobalPtr<const int32_t> counts;
  // The workspace.
  device::GlobalPtr<uint64_t> sorted_keys;
  device::GlobalPtr<uint32_t> sorted_slots, order;
  device::GlobalPtr<CandidateBox> kept;
  int32_t capacity, classes, max_candidates, max_detections;
  float iou, class_offset;
};

constexpr int kDetectionWords = 6;
static_assert(sizeof(NmsDetection) == kDetectionWords * sizeof(uint32_t),
              "a detection is stored word by word");

inline NmsArguments nms_arguments(const NmsTensors& tensors, const NmsProblem& problem,
                                  const NmsVariant& variant) {
  const NmsWorkspace at = nms_workspace(variant, problem);
  auto* const workspace = static_cast<unsigned char*>(tensors.workspace);
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  return {.detections = device::GlobalPtr(reinterpret_cast<uint32_t*>(tensors.detections)),
          .detection_counts = device::GlobalPtr(tensors.detection_counts),
          .boxes = device::GlobalPtr<const CandidateBox>(tensors.candidates.boxes),
          .keys = device::GlobalPtr<const uint64_t>(tensors.candidates.keys),
          .counts = device::GlobalPtr<const int32_t>(tensors.candidates.counts),
          .sorted_keys = device::GlobalPtr(reinterpret_cast<uint64_t*>(workspace + at.keys)),
          .sorted_slots = device::GlobalPtr(reinterpret_cast<uint32_t*>(workspace + at.slots)),
          .order = device::GlobalPtr(reinterpret_cast<uint32_t*>(workspace + at.order)),
          .kept = device::GlobalPtr(reinterpret_cast<CandidateBox*>(workspace + at.kept)),
          .capacity = narrow(problem.capacity),
          .classes = narrow(problem.classes),
          .max_candidates = narrow(problem.max_candidates),
          .max_detections = narrow(problem.max_detections),
          .iou = nms_threshold(problem.iou),
          .class_offset = problem.class_offset};
}

// The arguments of one picture alone: its pointers start at its own elements.
YOLOCU_DEVICE NmsArguments picture_of(const NmsArguments& arguments, uint32_t picture) {
  NmsArguments own = arguments;
  const int64_t candidates = int64_t{picture} * arguments.capacity;
  const int64_t detections = int64_t{picture} * arguments.max_detections;
  own.detections = arguments.detections + detections * kDetectionWords;
  own.detection_counts = arguments.detection_counts + picture;
  own.boxes = arguments.boxes + candidates;
  own.keys = arguments.keys + candidates;
  own.counts = arguments.counts + picture;
  own.sorted_keys = arguments.sorted_keys + candidates;
  own.sorted_slots = arguments.sorted_slots + candidates;
  own.order = arguments.order + candidates;
  own.kept = arguments.kept + detections;
  return own;
}

// Candidates in the list of a picture.
YOLOCU_DEVICE int listed_candidates(const NmsArguments& picture) {
  const int count = picture.counts.load(0);
  return count < picture.capacity ? count : picture.capacity;
}

// The values of std::max and std::min, which decide what happens to NaN. fmaxf would drop it.
YOLOCU_DEVICE float greater_of(float a, float b) {
  return a < b ? b : a;
}
YOLOCU_DEVICE float lesser_of(float a, float b) {
  return b < a ? b : a;
}

YOLOCU_DEVICE float area_of(const CandidateBox& box) {
  return device::multiply_rounded(box.x2 - box.x1, box.y2 - box.y1);
}

// IoU > iou, operation by operation the arithmetic of the official code in f32, the kept box first.
// Without a common area the quotient is 0 or NaN, never above an iou >= 0: no need to divide.
YOLOCU_DEVICE bool is_overlapped(const CandidateBox& kept, const CandidateBox& box, float iou) {
  const float width = lesser_of(kept.x2, box.x2) - greater_of(kept.x1, box.x1);
  const float height = lesser_of(kept.y2, box.y2) - greater_of(kept.y1, box.y1);
  const float common = device::multiply_rounded(greater_of(0.0f, width), greater_of(0.0f, height));
  if (!(common > 0.0f)) return false;
  return common / (area_of(kept) + area_of(box) - common) > iou;
}

// The box where it competes: boxes of other classes are far away.
YOLOCU_DEVICE CandidateBox offset_by_class(const CandidateBox& box, uint64_t key,
                                           const NmsArguments& picture) {
  const auto class_id = candidate_index(key) % static_cast<uint32_t>(picture.classes);
  const float offset = device::multiply_rounded(static_cast<float>(class_id), picture.class_offset);
  return {box.x1 + offset, box.y1 + offset, box.x2 + offset, box.y2 + offset};
}

// detections[row] = the candidate. One thread.
YOLOCU_DEVICE void store_detection(const NmsArguments& picture, int row, const CandidateBox& box,
                                   uint64_t key) {
  const auto words = picture.detections + int64_t{row} * kDetectionWords;
  words.store(0, device::float_bits(box.x1));
  words.store(1, device::float_bits(box.y1));
  words.store(2, device::float_bits(box.x2));
  words.store(3, device::float_bits(box.y2));
  words.store(4, candidate_score_bits(key));
  words.store(5, candidate_index(key) % static_cast<uint32_t>(picture.classes));
}

// The count, and zeros after the last detection. All threads of the block.
YOLOCU_DEVICE void finish_detections(const NmsArguments& picture, int count) {
  const int words = picture.max_detections * kDetectionWords;
  const auto threads = static_cast<int>(device::thread_count());
  const auto rank = static_cast<int>(device::thread_rank());
  for (int i = count * kDetectionWords + rank; i < words; i += threads) {
    picture.detections.store(i, 0);
  }
  if (rank == 0) picture.detection_counts.store(0, count);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
