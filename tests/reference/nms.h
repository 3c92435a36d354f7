// Oracle of nms: a sort and two plain loops over the pairs. Shares nothing with the kernels but the
// problem struct.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/nms/nms.h"

namespace yolocu::testing {

struct PlainCandidate {
  CandidateBox box;
  float score = 0;
  int64_t index = 0;  // anchor * classes + class
};

// In f32, as the official code: what is tested is the kept set, which hangs on single roundings.
// The variables are volatile so that no product is fused with a sum.
inline bool plain_overlaps(const CandidateBox& a, const CandidateBox& b, double iou) {
  const volatile float a_area = (a.x2 - a.x1) * (a.y2 - a.y1);
  const volatile float b_area = (b.x2 - b.x1) * (b.y2 - b.y1);
  const float w = std::max(0.0f, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
  const float h = std::max(0.0f, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
  const volatile float common = w * h;
  const volatile float all = a_area + b_area;
  const volatile float overlap = common / (all - common);
  return static_cast<double>(overlap) > iou;
}

inline CandidateBox plain_offset(const CandidateBox& box, int64_t class_id, float class_offset) {
  const volatile float by = static_cast<float>(class_id) * class_offset;
  return {box.x1 + by, box.y1 + by, box.x2 + by, box.y2 + by};
}

// The detections of one picture.
inline std::vector<NmsDetection> reference_nms(std::vector<PlainCandidate> candidates,
                                               const NmsProblem& problem) {
  std::sort(candidates.begin(), candidates.end(),
            [](const PlainCandidate& a, const PlainCandidate& b) {
              return a.score != b.score ? a.score > b.score : a.index < b.index;
            });
  if (static_cast<int64_t>(candidates.size()) > problem.max_candidates) {
    candidates.resize(static_cast<size_t>(problem.max_candidates));
  }
  std::vector<CandidateBox> kept;
  std::vector<NmsDetection> detections;
  for (const PlainCandidate& c : candidates) {
    if (static_cast<int64_t>(kept.size()) == problem.max_detections) break;
    const int64_t class_id = c.index % problem.classes;
    const CandidateBox box = plain_offset(c.box, class_id, problem.class_offset);
    const bool dropped = std::any_of(kept.begin(), kept.end(), [&](const CandidateBox& k) {
      return plain_overlaps(k, box, problem.iou);
    });
    if (dropped) continue;
    kept.push_back(box);
    detections.push_back(
        {c.box.x1, c.box.y1, c.box.x2, c.box.y2, c.score, static_cast<int32_t>(class_id)});
  }
  return detections;
}

}  // namespace yolocu::testing
