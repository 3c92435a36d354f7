// What the decode kernels get by value.
#pragma once

#include <type_traits>

#include "kernels/decode/decode.h"
#include "kernels/decode/tile.h"
#include "kernels/device/memory.h"
#include "kernels/device/numeric.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// Pointers to the first channel of the view of the first pixel.
template <typename T>
struct DecodeLevelArguments {
  device::GlobalPtr<const T> box, classes;
  int32_t height, width, box_pixel_stride, class_pixel_stride;
  int32_t anchors;  // of the level
  float stride;
  float sizes[2 * kMaxLevelAnchors];
};

// T is the element type of problem.dtype.
template <typename T>
struct DecodeArguments {
  using Element = T;
  DecodeLevelArguments<T> levels[kMaxDecodeLevels];
  int32_t batch, anchors, classes, bins;
};

// Of predictions.
struct PredictionArguments {
  device::GlobalPtr<float> predictions;
  int32_t row;
  ObjectnessForm objectness;
};

// Of candidates. wanted_classes may be null.
struct CandidateArguments {
  device::GlobalPtr<CandidateBox> boxes;
  device::GlobalPtr<uint64_t> keys;
  device::GlobalPtr<int32_t> counts;
  device::GlobalPtr<const uint32_t> wanted_classes;
  int32_t capacity;
  float confidence, least_logit;
  CandidateLabels labels;
};

template <typename T>
DecodeArguments<T> decode_arguments(const DecodeHeads& heads, const DecodeProblem& problem) {
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  DecodeArguments<T> arguments = {.levels = {},
                                  .batch = narrow(problem.batch),
                                  .anchors = narrow(problem.anchors()),
                                  .classes = narrow(problem.classes),
                                  .bins = narrow(problem.bins)};
  for (int64_t i = 0; i < problem.level_count; ++i) {
    const auto at = static_cast<size_t>(i);
    const DecodeLevel& level = problem.levels[at];
    DecodeLevelArguments<T>& own = arguments.levels[at];
    own.box = device::GlobalPtr(static_cast<const T*>(heads.boxes[at]) + level.box_offset);
    if (problem.head == DecodeHead::kDfl) {
      own.classes =
          device::GlobalPtr(static_cast<const T*>(heads.classes[at]) + level.class_offset);
    }
    own.height = narrow(level.height);
    own.width = narrow(level.width);
    own.box_pixel_stride = narrow(level.box_pixel_stride);
    own.class_pixel_stride = narrow(level.class_pixel_stride);
    own.anchors = narrow(problem.level_anchors(i));
    own.stride = level.stride;
    for (size_t k = 0; k < level.sizes.size(); ++k) own.sizes[k] = level.sizes[k];
  }
  return arguments;
}

inline CandidateArguments candidate_arguments(const CandidateTensors& tensors,
                                              const CandidateRule& rule) {
  return {.boxes = device::GlobalPtr(tensors.lists.boxes),
          .keys = device::GlobalPtr(tensors.lists.keys),
          .counts = device::GlobalPtr(tensors.lists.counts),
          .wanted_classes = device::GlobalPtr(tensors.wanted_classes),
          .capacity = static_cast<int32_t>(rule.capacity),
          .confidence = rule.confidence,
          .least_logit = least_logit(rule.confidence),
          .labels = rule.labels};
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
