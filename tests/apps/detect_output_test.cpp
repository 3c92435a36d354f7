#include "apps/detect_output.h"

#include <nlohmann/json.hpp>

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

const std::vector<std::string> kNames = {"cat", "d\"o\ng"};

TEST(DetectOutput, JsonHasTheAgreedFields) {
  const std::vector<PictureResult> pictures = {
      {"a.jpg", 640, 480, {{1.23456f, 2, 30.5f, 40, 0.966637f, 1}, {0, 0, 1, 1, 0.5f, 0}}, ""},
      {"b.png", 1, 2, {}, ""}};
  const auto document = nlohmann::json::parse(detections_json(
      pictures, std::vector<FailedPicture>{{"c\".gif", "empty file"}, {"d", "x"}}, kNames));
  const auto expected = nlohmann::json::parse(R"({"images":[
      {"path":"a.jpg","width":640,"height":480,"detections":[
        {"class_id":1,"class_name":"d\"o\ng","score":0.96664,"box":[1.235,2.0,30.5,40.0]},
        {"class_id":0,"class_name":"cat","score":0.5,"box":[0.0,0.0,1.0,1.0]}]},
      {"path":"b.png","width":1,"height":2,"detections":[]}],
      "failed":[{"path":"c\".gif","reason":"empty file"},{"path":"d","reason":"x"}]})");
  EXPECT_EQ(document, expected) << document.dump(1);
}

TEST(DetectOutput, JsonOfNothing) {
  EXPECT_EQ(nlohmann::json::parse(detections_json({}, {}, kNames)),
            nlohmann::json::parse(R"({"images":[],"failed":[]})"));
}

TEST(DetectOutput, JsonSurvivesPathsThatAreNotUtf8) {
  const std::vector<PictureResult> pictures = {{"a\xFF\xC3.jpg", 1, 1, {}, ""}};
  const auto document = nlohmann::json::parse(detections_json(pictures, {}, kNames));
  EXPECT_EQ(document["images"][0]["path"], "a\xEF\xBF\xBD\xEF\xBF\xBD.jpg");
}

TEST(DetectOutput, TableHasALineForEachObject) {
  const PictureResult picture = {"a\n.jpg", 640, 480, {{1, 2, 30.5f, 40, 0.9f, 0}}, "out/a.jpg"};
  const std::string table = detections_table(picture, kNames);
  EXPECT_EQ(table,
            "a?.jpg  640x480  1 object\n"
            "  class  score      x1      y1      x2      y2\n"
            "  cat    0.900     1.0     2.0    30.5    40.0\n"
            "  annotated: out/a.jpg\n\n");
}

TEST(DetectOutput, SummaryShowsMeansOfSeveralPictures) {
  EXPECT_EQ(summary_line(2, 7, {10, 8, 100, 130}),
            "2 pictures, 7 objects: load model 10.0 ms, decode 4.0 ms, letterbox and network "
            "50.0 ms a picture, total 130.0 ms\n");
  EXPECT_EQ(summary_line(0, 0, {1, 0, 0, 2}),
            "0 pictures, 0 objects: load model 1.0 ms, decode 0.0 ms, letterbox and network "
            "0.0 ms, total 2.0 ms\n");
}

}  // namespace
}  // namespace yolocu
