// Non-maximum suppression with the exact rule of the official non_max_suppression.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "yolocu/detector.h"

namespace yolocu {

// How a prediction row scores: [cx cy w h, classes] or [cx cy w h, objectness, classes].
enum class ScoreLayout : uint8_t { kClasses, kObjectnessAndClasses };
enum class LabelMode : uint8_t { kBestClass, kMultiLabel };
enum class SuppressionScope : uint8_t { kPerClass, kAgnostic };

struct NmsOptions {
  ScoreLayout layout = ScoreLayout::kClasses;
  LabelMode labels = LabelMode::kBestClass;
  SuppressionScope scope = SuppressionScope::kPerClass;
  float confidence = 0.25f;
  double iou = 0.45;  // double: the official code compares an fp32 overlap with it in double
  int64_t max_detections = 300;
  int64_t max_candidates = 30000;
  std::vector<int64_t> classes = {};  // empty: all
};

// predictions [anchors, row] f32 of one picture -> detections in pixels of the network input.
// Candidates: score > confidence (strict); kObjectnessAndClasses first wants objectness >
// confidence, then score = objectness * class, or objectness alone if there is one class.
// Stable sort by score, descending; the best max_candidates; greedy: dropped if IoU > iou (strict)
// with a kept box, on boxes shifted by class * 7680 (kClasses) or * 4096 in fp32 as the official
// code does; the first max_detections. Deterministic for NaN and infinite values.
std::vector<Detection> non_max_suppression(std::span<const float> predictions, int64_t row,
                                           const NmsOptions& options);

// Boxes of the network input back to the picture, in place, as the official scale_boxes:
// gain = min(H/h, W/w), pad = (W - w * gain) / 2 not rounded, then clipped to the picture.
void scale_boxes(std::span<Detection> detections, int64_t net_height, int64_t net_width,
                 int64_t image_height, int64_t image_width);

}  // namespace yolocu
