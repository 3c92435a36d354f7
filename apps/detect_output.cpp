#include "apps/detect_output.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/console.h"

namespace yolocu {
namespace {

using Json = nlohmann::ordered_json;

// Decimal rounding here, so that the document does not show the float's noise: 0.96664.
double rounded(float value, double scale) {
  return std::round(static_cast<double>(value) * scale) / scale;
}

std::string class_name(int64_t class_id, std::span<const std::string> class_names) {
  const bool named = class_id >= 0 && class_id < static_cast<int64_t>(class_names.size());
  return named ? class_names[static_cast<size_t>(class_id)] : std::to_string(class_id);
}

std::string compact(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string detection_json(const Detection& d, std::span<const std::string> class_names) {
  Json json;
  json["class_id"] = d.class_id;
  json["class_name"] = class_name(d.class_id, class_names);
  json["score"] = rounded(d.score, 1e5);
  json["box"] = {rounded(d.x1, 1e3), rounded(d.y1, 1e3), rounded(d.x2, 1e3), rounded(d.y2, 1e3)};
  return compact(json);
}

std::string counted(int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string right_aligned(double value, int decimals, size_t width) {
  const std::string text = fixed(value, decimals);
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

}  // namespace

// Written line by line, a detection on each: short enough to read, simple enough to grep.
std::string detections_json(std::span<const PictureResult> pictures,
                            std::span<const FailedPicture> failed,
                            std::span<const std::string> class_names) {
  std::string text = "{\"images\":[";
  for (size_t i = 0; i < pictures.size(); ++i) {
    const PictureResult& picture = pictures[i];
    text += i == 0 ? "\n" : ",\n";
    text += " {\"path\":" + compact(picture.path) + ",\"width\":" + std::to_string(picture.width) +
            ",\"height\":" + std::to_string(picture.height) + ",\"detections\":[";
    for (size_t j = 0; j < picture.detections.size(); ++j) {
      text += j == 0 ? "\n  " : ",\n  ";
      text += detection_json(picture.detections[j], class_names);
    }
    text += "]}";
  }
  text += "],\"failed\":[";
  for (size_t i = 0; i < failed.size(); ++i) {
    text += i == 0 ? "\n " : ",\n ";
    text +=
        "{\"path\":" + compact(failed[i].path) + ",\"reason\":" + compact(failed[i].reason) + "}";
  }
  return text + "]}\n";
}

std::string detections_table(const PictureResult& picture,
                             std::span<const std::string> class_names) {
  const auto count = static_cast<int64_t>(picture.detections.size());
  std::string text = one_line(picture.path) + "  " + std::to_string(picture.width) + "x" +
                     std::to_string(picture.height) + "  " +
                     (count == 0 ? "nothing found" : counted(count, "object")) + "\n";
  size_t name_width = 5;  // of "class"
  for (const Detection& d : picture.detections) {
    name_width = std::max(name_width, character_count(class_name(d.class_id, class_names)));
  }
  if (count > 0) {
    text += "  " + padded("class", name_width) + "  score      x1      y1      x2      y2\n";
  }
  for (const Detection& d : picture.detections) {
    text += "  " + padded(one_line(class_name(d.class_id, class_names)), name_width);
    text += right_aligned(static_cast<double>(d.score), 3, 7);
    for (const float v : {d.x1, d.y1, d.x2, d.y2}) text += right_aligned(v, 1, 8);
    text += "\n";
  }
  if (!picture.annotated.empty()) text += "  annotated: " + one_line(picture.annotated) + "\n";
  return text + "\n";
}

std::string summary_line(int64_t pictures, int64_t objects, const Timing& timing) {
  const auto divisor = static_cast<double>(std::max<int64_t>(pictures, 1));
  return counted(pictures, "picture") + ", " + counted(objects, "object") + ": load model " +
         fixed(timing.load_ms, 1) + " ms, decode " + fixed(timing.decode_ms / divisor, 1) +
         " ms, letterbox and network " + fixed(timing.detect_ms / divisor, 1) + " ms" +
         (pictures > 1 ? " a picture" : "") + ", total " + fixed(timing.total_ms, 1) + " ms\n";
}

}  // namespace yolocu
