// Pictures full of candidates that every variant of nms is tested on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/nms/nms.h"
#include "tests/reference/nms.h"

namespace yolocu::testing {

using Pictures = std::vector<std::vector<PlainCandidate>>;

struct NmsCase {
  NmsVariant variant;
  std::string name;  // of what follows
  NmsProblem problem;
  std::vector<int64_t> counts;  // candidates of each picture, at most the capacity
};

// Boxes on a grid of half pixels, scores of 64 steps, so that overlaps and ties are many; the index
// is drawn without repetition.
inline std::vector<PlainCandidate> random_candidates(int64_t count, int64_t classes,
                                                     uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&random](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  const auto half = [&](int64_t low, int64_t high) {
    return static_cast<float>(pick(low, high)) / 2;
  };
  // Crowded whatever the count: about 8 boxes over every pixel.
  const auto extent = static_cast<int64_t>(8 + 12 * std::sqrt(static_cast<double>(count)));
  std::vector<PlainCandidate> candidates(static_cast<size_t>(count));
  int64_t index = pick(0, 5);
  for (PlainCandidate& c : candidates) {
    const float x = half(-10, 2 * extent), y = half(-10, 2 * extent);
    c.box = {x, y, x + half(1, 80), y + half(1, 80)};
    c.score = static_cast<float>(pick(1, 64)) / 64;
    c.index = index;
    index += pick(1, 2 * classes);
  }
  std::shuffle(candidates.begin(), candidates.end(), random);
  return candidates;
}

inline Pictures pictures_of(const NmsCase& test, uint64_t seed) {
  Pictures pictures;
  for (const int64_t count : test.counts) {
    pictures.push_back(random_candidates(count, test.problem.classes, seed + pictures.size()));
  }
  return pictures;
}

// Counts around warps, chunks and tiles; one full list; three pictures, one of them empty; each
// with and without classes that keep apart.
inline std::vector<NmsCase> nms_cases(const NmsVariant& variant) {
  std::vector<NmsCase> cases;
  const auto add = [&](const std::string& name, NmsProblem problem, std::vector<int64_t> counts) {
    problem.batch = static_cast<int64_t>(counts.size());
    // The naive variant takes long where much is kept of much.
    if (variant.algorithm == NmsAlgorithm::kNaive && problem.capacity > 600) return;
    if (can_implement(variant, problem).ok()) {
      cases.push_back({variant, name, problem, std::move(counts)});
    }
  };
  for (const int64_t count : {0, 1, 31, 32, 33, 511, 513, 1023, 1024, 1025, 2500}) {
    const int64_t capacity = std::max<int64_t>(count, 1);
    const std::string n = std::to_string(count);
    add("agnostic_" + n, {.capacity = capacity, .classes = 3, .class_offset = kClassAgnostic},
        {count});
    add("classes_" + n, {.capacity = capacity, .classes = 3}, {count});
  }
  add("batch3", {.capacity = 1100, .classes = 7}, {700, 0, 1100});
  add("batch3_small", {.capacity = 70, .classes = 7}, {33, 0, 70});
  add("batch3_one_tile", {.capacity = 300, .classes = 1000}, {1, 300, 47});
  add("yolov7", {.capacity = 400, .classes = 80, .class_offset = kClassOffsetYolov7}, {333});
  add("keeps_all", {.capacity = 900, .max_detections = 2000, .iou = 1.0}, {900});
  add("keeps_few", {.capacity = 700, .iou = 0.0, .class_offset = kClassAgnostic}, {700});
  add("one_detection", {.capacity = 600, .max_detections = 1}, {600});
  add("detections_end_a_chunk", {.capacity = 1300, .max_detections = 512, .iou = 1.0}, {1300});
  add("candidates_cut", {.capacity = 1500, .max_candidates = 700, .iou = 0.9}, {1500});
  add("candidates_cut_in_tile", {.capacity = 600, .max_candidates = 33, .iou = 0.9}, {600});
  return cases;
}

inline std::vector<NmsCase> all_nms_cases() {
  std::vector<NmsCase> cases;
  for (const NmsVariant& variant : nms_variants()) {
    for (NmsCase& test : nms_cases(variant)) cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace yolocu::testing
