// What `yolocu detect` says about pictures: tables for people, one JSON document for programs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "yolocu/detector.h"

namespace yolocu {

struct PictureResult {
  std::string path;
  int64_t width = 0, height = 0;
  std::vector<Detection> detections;  // by descending score
  std::string annotated;              // path of the annotated copy; empty: none
};

// An input that could not be searched.
struct FailedPicture {
  std::string path;    // or what was typed, where it led to no picture
  std::string reason;  // one line, without the path
};

// Milliseconds spent: sums over all pictures, but for `load` (the model) and `total` (everything).
struct Timing {
  double load_ms = 0, decode_ms = 0, detect_ms = 0, total_ms = 0;
};

// {"images":[{"path","width","height","detections":[{"class_id","class_name","score",
// "box":[x1,y1,x2,y2]}]}],"failed":[{"path","reason"}]} and a line feed. Boxes in pixels with 3
// decimals, scores with 5. Bytes that are not UTF-8 become U+FFFD.
std::string detections_json(std::span<const PictureResult> pictures,
                            std::span<const FailedPicture> failed,
                            std::span<const std::string> class_names);

// A heading and a line for each object.
std::string detections_table(const PictureResult& picture,
                             std::span<const std::string> class_names);

// "2 pictures, 7 objects: model 12.0 ms, ..." The times of decode and detect are means.
std::string summary_line(int64_t pictures, int64_t objects, const Timing& timing);

}  // namespace yolocu
