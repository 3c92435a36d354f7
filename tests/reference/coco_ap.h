// Average precision as COCO defines it (Lin et al. 2014, and the evaluation code published with the
// data set): the oracle for detections against labels. Plain loops, double.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <vector>

namespace yolocu::reference {

struct CocoObject {
  int64_t image = 0;
  int64_t category = 0;
  double x = 0, y = 0, width = 0, height = 0;  // top left corner, pixels
  double area = 0;                             // of a label; detections: width * height
  bool is_crowd = false;                       // of a label
  double score = 0;                            // of a detection
};

constexpr size_t kCocoThresholds = 10;  // IoU 0.50, 0.55, ..., 0.95
constexpr size_t kCocoRecalls = 101;    // 0.00, 0.01, ..., 1.00
constexpr size_t kCocoAreas = 4;        // all, small, medium, large
constexpr size_t kCocoLimits = 3;       // 1, 10, 100 detections of a category in an image
constexpr std::array<size_t, kCocoLimits> kCocoMaxDetections{1, 10, 100};
constexpr std::array<std::array<double, 2>, kCocoAreas> kCocoAreaRanges{
    {{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}}};

// precision[t][r] and recall[t] of one category, area range and limit; -1 without labels.
struct CocoCurve {
  std::array<std::array<double, kCocoRecalls>, kCocoThresholds> precision;
  std::array<double, kCocoThresholds> recall;
};

// Intersection over union; over the detection's own area for a crowd.
inline double coco_iou(const CocoObject& found, const CocoObject& label) {
  const double width =
      std::min(found.x + found.width, label.x + label.width) - std::max(found.x, label.x);
  const double height =
      std::min(found.y + found.height, label.y + label.height) - std::max(found.y, label.y);
  if (width <= 0 || height <= 0) return 0;
  const double common = width * height, own = found.width * found.height;
  return common / (label.is_crowd ? own : own + label.width * label.height - common);
}

// A detection after matching: counted as right or wrong, or not at all.
struct CocoOutcome {
  double score = 0;
  bool is_right = false, is_ignored = false;
};

// The index of the label that a detection takes: the best overlap of at least `threshold` among
// those that are free; counted labels before ignored ones; -1 if none. `order`: counted ones first.
inline int64_t coco_match(const CocoObject& found, const std::vector<CocoObject>& labels,
                          const std::vector<bool>& ignored, const std::vector<size_t>& order,
                          const std::vector<bool>& taken, double threshold) {
  double best = std::min(threshold, 1 - 1e-10);
  int64_t match = -1;
  for (const size_t g : order) {
    if (taken[g] && !labels[g].is_crowd) continue;
    if (match >= 0 && !ignored[static_cast<size_t>(match)] && ignored[g]) break;
    const double iou = coco_iou(found, labels[g]);
    if (iou < best) continue;
    best = iou;
    match = static_cast<int64_t>(g);
  }
  return match;
}

// Detections (by descending score) of one image and category against its labels.
inline std::vector<CocoOutcome> coco_match_image(const std::vector<CocoObject>& found,
                                                 const std::vector<CocoObject>& labels,
                                                 const std::array<double, 2>& range,
                                                 double threshold) {
  const auto outside = [&](double area) { return area < range[0] || area > range[1]; };
  std::vector<bool> ignored;
  for (const CocoObject& label : labels) ignored.push_back(label.is_crowd || outside(label.area));
  std::vector<size_t> order;
  for (const bool want : {false, true}) {
    for (size_t g = 0; g < labels.size(); ++g) {
      if (ignored[g] == want) order.push_back(g);
    }
  }
  std::vector<bool> taken(labels.size(), false);
  std::vector<CocoOutcome> outcomes;
  for (const CocoObject& d : found) {
    const int64_t match = coco_match(d, labels, ignored, order, taken, threshold);
    if (match < 0) {
      outcomes.push_back({d.score, false, outside(d.width * d.height)});
      continue;
    }
    taken[static_cast<size_t>(match)] = true;
    const bool is_ignored = ignored[static_cast<size_t>(match)];
    outcomes.push_back({d.score, !is_ignored, is_ignored});
  }
  return outcomes;
}

// Precision at each recall step, made to fall, of outcomes against `positives` labels; the recall.
inline double coco_precision(std::vector<CocoOutcome> outcomes, int64_t positives,
                             std::array<double, kCocoRecalls>& steps) {
  std::stable_sort(outcomes.begin(), outcomes.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  std::vector<double> recall, precision;
  double right = 0, wrong = 0;
  for (const CocoOutcome& outcome : outcomes) {
    if (!outcome.is_ignored) ++(outcome.is_right ? right : wrong);
    recall.push_back(right / static_cast<double>(positives));
    precision.push_back(right / (right + wrong + std::numeric_limits<double>::epsilon()));
  }
  for (size_t i = precision.size(); i-- > 1;) {
    precision[i - 1] = std::max(precision[i - 1], precision[i]);
  }
  for (size_t r = 0; r < kCocoRecalls; ++r) {
    const double wanted = static_cast<double>(r) * 0.01;  // the published steps: 0.7 rounded up
    const auto at = std::lower_bound(recall.begin(), recall.end(), wanted) - recall.begin();
    steps[r] = static_cast<size_t>(at) < precision.size() ? precision[static_cast<size_t>(at)] : 0;
  }
  return recall.empty() ? 0 : recall.back();
}

using CocoImages = std::map<int64_t, std::vector<CocoObject>>;

inline CocoImages coco_images_of(const std::vector<CocoObject>& objects, int64_t category) {
  CocoImages images;
  for (const CocoObject& object : objects) {
    if (object.category == category) images[object.image].push_back(object);
  }
  return images;
}

// The curve of one category; area and limit are indices of the lists above.
inline CocoCurve coco_curve(const std::vector<CocoObject>& found,
                            const std::vector<CocoObject>& labels, int64_t category, size_t area,
                            size_t limit) {
  CocoImages detections = coco_images_of(found, category);
  const CocoImages truth = coco_images_of(labels, category);
  const auto& range = kCocoAreaRanges[area];
  int64_t positives = 0;
  std::set<int64_t> images;
  for (const auto& [image, objects] : truth) {
    images.insert(image);
    positives += std::count_if(objects.begin(), objects.end(), [&](const CocoObject& o) {
      return !o.is_crowd && o.area >= range[0] && o.area <= range[1];
    });
  }
  for (auto& [image, objects] : detections) {
    images.insert(image);
    std::stable_sort(objects.begin(), objects.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    // Matching sees the best 100; a lower limit then cuts what is counted.
    objects.resize(std::min(objects.size(), kCocoMaxDetections.back()));
  }
  CocoCurve curve;
  for (auto& steps : curve.precision) steps.fill(-1);
  curve.recall.fill(-1);
  if (positives == 0) return curve;
  for (size_t t = 0; t < kCocoThresholds; ++t) {
    std::vector<CocoOutcome> all;
    for (const int64_t image : images) {
      const auto at = truth.find(image);
      auto outcomes = coco_match_image(detections[image],
                                       at == truth.end() ? std::vector<CocoObject>{} : at->second,
                                       range, 0.5 + 0.05 * static_cast<double>(t));
      outcomes.resize(std::min(outcomes.size(), kCocoMaxDetections[limit]));
      all.insert(all.end(), outcomes.begin(), outcomes.end());
    }
    curve.recall[t] = coco_precision(std::move(all), positives, curve.precision[t]);
  }
  return curve;
}

// Mean of the precision over all recalls and categories with labels: at one threshold, or (-1) at
// all of them. -1 without labels.
inline double coco_ap(const std::vector<CocoCurve>& curves, int64_t threshold = -1) {
  double sum = 0, count = 0;
  for (const CocoCurve& curve : curves) {
    for (size_t t = 0; t < kCocoThresholds; ++t) {
      if (threshold >= 0 && t != static_cast<size_t>(threshold)) continue;
      for (const double precision : curve.precision[t]) {
        if (precision < 0) continue;
        sum += precision;
        ++count;
      }
    }
  }
  return count == 0 ? -1 : sum / count;
}

}  // namespace yolocu::reference
