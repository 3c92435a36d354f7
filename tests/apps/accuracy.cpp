#include "tests/apps/accuracy.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/preprocess/letterbox.h"
#include "tests/apps/coco_json.h"
#include "tests/support/test_support.h"

namespace yolocu::testing {
namespace {

using nlohmann::json;
using reference::CocoObject;

// Classes count from 0 where COCO's category numbers have gaps.
std::map<int64_t, int64_t> classes_of(const json& categories) {
  std::set<int64_t> numbers;
  for (const json& category : categories) numbers.insert(category["id"].get<int64_t>());
  std::map<int64_t, int64_t> classes;
  for (const int64_t number : numbers) classes.emplace(number, classes.size());
  return classes;
}

}  // namespace

std::vector<CocoObject> detect_all(Executor& executor, const AccuracySetting& setting,
                                   const Image& picture, int64_t image) {
  std::vector<uint8_t> scratch;
  EXPECT_OK(letterbox(executor.input(), setting.size, setting.size, 114, picture.view(), scratch));
  EXPECT_OK(executor.run());
  auto found = non_max_suppression(executor.output(), executor.row(),
                                   {.layout = setting.layout,
                                    .labels = LabelMode::kMultiLabel,
                                    .confidence = 0.001f,
                                    .iou = setting.iou});
  scale_boxes(found, setting.size, setting.size, picture.height, picture.width);
  std::vector<CocoObject> objects;
  for (const Detection& d : found) {
    objects.push_back({.image = image,
                       .category = d.class_id,
                       .x = d.x1,
                       .y = d.y1,
                       .width = d.x2 - d.x1,
                       .height = d.y2 - d.y1,
                       .score = d.score});
  }
  return objects;
}

Score score_of(const std::vector<CocoObject>& found, const std::vector<CocoObject>& labels,
               int64_t categories) {
  std::vector<reference::CocoCurve> curves;
  for (int64_t category = 0; category < categories; ++category) {
    curves.push_back(reference::coco_curve(found, labels, category, 0, 2));
  }
  const Score score{reference::coco_ap(curves), reference::coco_ap(curves, 0)};
  std::printf("AP %.4f, AP50 %.4f\n", score.ap, score.ap50);
  return score;
}

Score score_on_coco(Executor& executor, const AccuracySetting& setting,
                    const std::string& instances, const std::string& folder) {
  const json document = json::parse(std::ifstream(instances));
  const std::map<int64_t, int64_t> classes = classes_of(document["categories"]);
  std::vector<CocoObject> labels, found;
  for (const json& entry : document["annotations"]) {
    labels.push_back(coco_object(entry));
    labels.back().category = classes.at(labels.back().category);
  }
  for (const json& entry : document["images"]) {
    const auto picture = read_image(folder + "/" + entry["file_name"].get<std::string>());
    EXPECT_OK(picture);
    if (!picture.ok()) return {};
    for (const CocoObject& o : detect_all(executor, setting, *picture, entry["id"])) {
      found.push_back(o);
    }
  }
  return score_of(found, labels, static_cast<int64_t>(classes.size()));
}

}  // namespace yolocu::testing
