// Labels and detections as COCO writes them.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/reference/coco_ap.h"

namespace yolocu::testing {

// An entry of "annotations", or of a list of detections, which has a score.
inline reference::CocoObject coco_object(const nlohmann::json& entry) {
  const auto& box = entry["bbox"];
  return {.image = entry["image_id"],
          .category = entry["category_id"],
          .x = box[0],
          .y = box[1],
          .width = box[2],
          .height = box[3],
          .area = entry.value("area", 0.0),
          .is_crowd = entry.value("iscrowd", 0) != 0,
          .score = entry.value("score", 0.0)};
}

}  // namespace yolocu::testing
