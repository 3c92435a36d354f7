// What the tests of accuracy share: pictures through an executor to average precision.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/image_io.h"
#include "engine/executor.h"
#include "engine/postprocess/nms.h"
#include "tests/reference/coco_ap.h"

namespace yolocu::testing {

// Validation's rule: confidence 0.001, all labels of a box, at most 300 detections.
struct AccuracySetting {
  int64_t size = 0;
  ScoreLayout layout = ScoreLayout::kClasses;
  double iou = 0;
};

std::vector<reference::CocoObject> detect_all(Executor& executor, const AccuracySetting& setting,
                                              const Image& picture, int64_t image);

struct Score {
  double ap = 0, ap50 = 0;
};

// Prints what it returns.
Score score_of(const std::vector<reference::CocoObject>& found,
               const std::vector<reference::CocoObject>& labels, int64_t categories);

// Of the pictures that `instances`, COCO's labels as JSON, names, in `folder`. Fails the test where
// one cannot be read.
Score score_on_coco(Executor& executor, const AccuracySetting& setting,
                    const std::string& instances, const std::string& folder);

}  // namespace yolocu::testing
