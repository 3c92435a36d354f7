#include "engine/postprocess/nms.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>

namespace yolocu {
namespace {

constexpr float kMaxBoxV9 = 7680.0f;  // max_wh of the official YOLOv9 code
constexpr float kMaxBoxV7 = 4096.0f;  // and of YOLOv7

// A box that may be kept. `order` numbers the candidates of a picture, anchor by anchor.
struct Candidate {
  float score = 0;
  int32_t class_id = 0;
  int64_t anchor = 0;
  int64_t order = 0;
};

// Boxes in columns, so that a box is compared with many at once.
struct KeptBoxes {
  std::vector<float> x1, y1, x2, y2, area;
};

struct Box {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  float area() const { return (x2 - x1) * (y2 - y1); }
};

// The values of std::max and std::min, which decide what happens to NaN, written as the selections
// that compilers turn into SIMD code.
inline float max_of(float a, float b) {
  return a < b ? b : a;
}
inline float min_of(float a, float b) {
  return b < a ? b : a;
}

// Collects the candidates of a picture; see non_max_suppression for the rule.
class CandidateScan {
 public:
  CandidateScan(const NmsOptions& options, int64_t row)
      : options_(options),
        prefix_(options.layout == ScoreLayout::kClasses ? 4 : 5),
        classes_(row - prefix_),
        scores_(static_cast<size_t>(classes_)) {
    if (options.classes.empty()) return;
    wanted_.assign(static_cast<size_t>(classes_), 0);
    for (const int64_t id : options.classes) {
      if (id >= 0 && id < classes_) wanted_[static_cast<size_t>(id)] = 1;
    }
  }

  void add_anchor(const float* row, int64_t anchor) {
    const bool has_objectness = options_.layout == ScoreLayout::kObjectnessAndClasses;
    if (has_objectness && !(row[4] > options_.confidence)) return;
    if (!has_objectness && !any_above(row + prefix_)) return;
    for (int64_t c = 0; c < classes_; ++c) {
      float& score = scores_[static_cast<size_t>(c)];
      score = row[prefix_ + c];
      if (has_objectness) score = classes_ == 1 ? row[4] : score * row[4];
    }
    // The official code asks whether the largest score is above the threshold, and the largest of
    // scores with a NaN among them is NaN. With objectness this goes for the best class only.
    const bool has_nan =
        std::any_of(scores_.begin(), scores_.end(), [](float score) { return std::isnan(score); });
    if (options_.labels == LabelMode::kMultiLabel && classes_ > 1) {
      if (has_objectness || !has_nan) add_all_classes(anchor);
    } else if (!has_nan) {
      const auto best = std::max_element(scores_.begin(), scores_.end());  // the first of equals
      add(anchor, best - scores_.begin());
    }
  }

  std::vector<Candidate>& candidates() { return candidates_; }

 private:
  // Most anchors end here: a loop without branches, for SIMD.
  bool any_above(const float* scores) const {
    const float confidence = options_.confidence;
    int32_t above = 0;
    for (int64_t c = 0; c < classes_; ++c) above |= scores[c] > confidence ? 1 : 0;
    return above != 0;
  }

  void add_all_classes(int64_t anchor) {
    for (int64_t c = 0; c < classes_; ++c) add(anchor, c);
  }

  void add(int64_t anchor, int64_t class_id) {
    const float score = scores_[static_cast<size_t>(class_id)];
    if (!(score > options_.confidence)) return;
    if (!wanted_.empty() && wanted_[static_cast<size_t>(class_id)] == 0) return;
    candidates_.push_back(
        {score, static_cast<int32_t>(class_id), anchor, static_cast<int64_t>(candidates_.size())});
  }

  const NmsOptions& options_;
  int64_t prefix_;
  int64_t classes_;
  std::vector<float> scores_;    // of the anchor at hand
  std::vector<uint8_t> wanted_;  // by class; empty: all
  std::vector<Candidate> candidates_;
};

// By descending score, equal scores in their order; only the best `limit` remain.
void sort_and_cut(std::vector<Candidate>& candidates, int64_t limit) {
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.order < b.order;
  };
  if (static_cast<int64_t>(candidates.size()) > limit) {
    const auto end = candidates.begin() + limit;
    std::nth_element(candidates.begin(), end, candidates.end(), before);
    candidates.erase(end, candidates.end());
  }
  std::sort(candidates.begin(), candidates.end(), before);
}

// The largest float that is not above `value`: comparing with it decides as comparing in double,
// which is what the official code does.
float floor_to_float(double value) {
  const auto rounded = static_cast<float>(value);
  const bool above = static_cast<double>(rounded) > value;
  return above ? std::nextafter(rounded, -std::numeric_limits<float>::infinity()) : rounded;
}

// Whether a kept box overlaps `box` by more than `iou`. Operation by operation the arithmetic of
// the official code in fp32, the kept box first: this also settles NaN and infinity.
bool is_suppressed(const Box& box, const KeptBoxes& kept, float iou) {
  constexpr size_t kBlock = 64;  // after so many comparisons, look whether one has decided
  const float area = box.area();
  const size_t count = kept.x1.size();
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t end = std::min(count, begin + kBlock);
    int32_t overlaps = 0;
    for (size_t i = begin; i < end; ++i) {
      const float left = max_of(kept.x1[i], box.x1);
      const float top = max_of(kept.y1[i], box.y1);
      const float right = min_of(kept.x2[i], box.x2);
      const float bottom = min_of(kept.y2[i], box.y2);
      const float shared = max_of(0.0f, right - left) * max_of(0.0f, bottom - top);
      overlaps |= shared / (kept.area[i] + area - shared) > iou ? 1 : 0;
    }
    if (overlaps != 0) return true;
  }
  return false;
}

void keep(KeptBoxes& kept, const Box& box) {
  kept.x1.push_back(box.x1);
  kept.y1.push_back(box.y1);
  kept.x2.push_back(box.x2);
  kept.y2.push_back(box.y2);
  kept.area.push_back(box.area());
}

Box corners(const float* row) {
  return {row[0] - row[2] / 2, row[1] - row[3] / 2, row[0] + row[2] / 2, row[1] + row[3] / 2};
}

}  // namespace

std::vector<Detection> non_max_suppression(std::span<const float> predictions, int64_t row,
                                           const NmsOptions& options) {
  assert(row > (options.layout == ScoreLayout::kClasses ? 4 : 5));
  assert(predictions.size() % static_cast<size_t>(row) == 0);
  CandidateScan scan(options, row);
  const int64_t anchors = static_cast<int64_t>(predictions.size()) / row;
  for (int64_t i = 0; i < anchors; ++i) scan.add_anchor(predictions.data() + i * row, i);
  sort_and_cut(scan.candidates(), options.max_candidates);

  const float class_shift = options.scope == SuppressionScope::kAgnostic ? 0.0f
                            : options.layout == ScoreLayout::kClasses    ? kMaxBoxV9
                                                                         : kMaxBoxV7;
  const float iou = floor_to_float(options.iou);
  std::vector<Detection> detections;
  KeptBoxes kept;
  for (const Candidate& candidate : scan.candidates()) {
    if (static_cast<int64_t>(detections.size()) >= options.max_detections) break;
    const Box box = corners(predictions.data() + candidate.anchor * row);
    const float shift = static_cast<float>(candidate.class_id) * class_shift;
    const Box shifted = {box.x1 + shift, box.y1 + shift, box.x2 + shift, box.y2 + shift};
    if (is_suppressed(shifted, kept, iou)) continue;
    keep(kept, shifted);
    detections.push_back({box.x1, box.y1, box.x2, box.y2, candidate.score, candidate.class_id});
  }
  return detections;
}

void scale_boxes(std::span<Detection> detections, int64_t net_height, int64_t net_width,
                 int64_t image_height, int64_t image_width) {
  const auto net_h = static_cast<double>(net_height);
  const auto net_w = static_cast<double>(net_width);
  const auto image_h = static_cast<double>(image_height);
  const auto image_w = static_cast<double>(image_width);
  const double gain = std::min(net_h / image_h, net_w / image_w);
  // The official code computes these in double and applies them in fp32.
  const auto pad_x = static_cast<float>((net_w - image_w * gain) / 2);
  const auto pad_y = static_cast<float>((net_h - image_h * gain) / 2);
  const auto scale = static_cast<float>(gain);
  const auto width = static_cast<float>(image_width);
  const auto height = static_cast<float>(image_height);
  for (Detection& d : detections) {
    d.x1 = std::clamp((d.x1 - pad_x) / scale, 0.0f, width);
    d.y1 = std::clamp((d.y1 - pad_y) / scale, 0.0f, height);
    d.x2 = std::clamp((d.x2 - pad_x) / scale, 0.0f, width);
    d.y2 = std::clamp((d.y2 - pad_y) / scale, 0.0f, height);
  }
}

}  // namespace yolocu
