// Pictures in, boxes out, against what the official PyTorch code finds in the same pictures.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/program.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using nlohmann::json;
using testing::ProgramResult;
using testing::run_yolocu;
using testing::TempDir;
using Words = std::vector<std::string>;

struct Expected {
  double x1, y1, x2, y2;  // pixels of the picture
  double score;
  int class_id;
};

// weights/demo/sample.jpg at 640 x 640, conf 0.25, IoU 0.45. Boxes and scores of the official code
// in PyTorch, fp32.
const std::vector<Expected> kSample = {
    {187.309, 230.379, 266.313, 312.096, 0.97885, 0},
    {830.527, 261.613, 909.809, 340.337, 0.97801, 2},
    {1020.095, 233.763, 1139.103, 346.409, 0.97618, 0},
    {735.248, 263.981, 797.266, 327.936, 0.97132, 1},
    {1134.79, 656.531, 1227.55, 745.542, 0.96708, 2},
    {646.555, 692.635, 772.723, 731.392, 0.96582, 3},
    {396.067, 715.93, 489.039, 808.203, 0.96457, 1},
    {140.326, 671.974, 231.406, 762.498, 0.92374, 5},
    {909.751, 784.559, 986.432, 862.935, 0.91641, 0},
    {1065.873, 648.195, 1108.657, 775.844, 0.91606, 3},
    {653.11, 746.724, 712.008, 806.116, 0.91561, 5},
    {353.046, 247.531, 467.154, 338.085, 0.89737, 4},
    {530.198, 308.642, 632.958, 354.997, 0.86252, 4},
    {61.001, 232.453, 169.568, 265.839, 0.85065, 4},
};

double intersection_over_union(const Expected& a, const Expected& b) {
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  const double common = std::max(width, 0.0) * std::max(height, 0.0);
  const double all = (a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - common;
  return common / all;
}

// Every expected object is found once, and nothing else: same class, IoU >= 0.98, score +- 0.01.
void expect_same_objects(std::vector<Expected> found, const std::vector<Expected>& expected,
                         const std::string& where) {
  EXPECT_EQ(found.size(), expected.size()) << where;
  for (const Expected& e : expected) {
    const auto match = std::find_if(found.begin(), found.end(), [&](const Expected& f) {
      return f.class_id == e.class_id && std::abs(f.score - e.score) <= 0.01 &&
             intersection_over_union(f, e) >= 0.98;
    });
    if (match == found.end()) {
      ADD_FAILURE() << where << ": class " << e.class_id << ", score " << e.score << ", box ["
                    << e.x1 << "," << e.y1 << "," << e.x2 << "," << e.y2 << "] was not found";
      continue;
    }
    found.erase(match);
  }
}

Expected object(const json& box, const json& score, const json& class_id) {
  return {box[0], box[1], box[2], box[3], score, class_id};
}

std::vector<Expected> detect(const std::string& picture, const Words& options) {
  Words words = {"detect", "--json", "-", picture};
  words.insert(words.end(), options.begin(), options.end());
  const ProgramResult result = run_yolocu(words);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::vector<Expected> found;
  if (result.exit_code != 0) return found;
  const json document = json::parse(result.out);
  for (const json& d : document["images"][0]["detections"]) {
    found.push_back(object(d["box"], d["score"], d["class_id"]));
  }
  return found;
}

json read_json(const std::string& path) {
  std::ifstream in(path);
  return json::parse(in);
}

TEST(Demo, ShippedSample) {
  const std::string sample = testing::source_dir() + "/weights/demo/sample.jpg";
  expect_same_objects(detect(sample, {}), kSample, sample);
}

TEST(Demo, TheReferenceDeviceFindsTheSame) {
  const std::string sample = testing::source_dir() + "/weights/demo/sample.jpg";
  expect_same_objects(detect(sample, {"--device", "reference"}), kSample, sample);
}

// Pixels of the picture by which the list's boxes lie above ours: it was made with the padding that
// letterbox returns, (H - round(h * gain)) / 2, while the official scale_boxes takes
// (H - h * gain) / 2 when it is given sizes only, and so does the detector.
double padding_shift(double net, double extent, double gain) {
  const double rounded = (net - std::nearbyint(extent * gain)) / 2;
  return (rounded - (net - extent * gain) / 2) / gain;
}

std::vector<Expected> sample_objects(const json& image, int size) {
  const double width = image["width"], height = image["height"];
  const double gain = std::min(size / width, size / height);
  const double dx = padding_shift(size, width, gain), dy = padding_shift(size, height, gain);
  std::vector<Expected> objects;
  for (const json& e : image["letterbox_" + std::to_string(size)]) {
    Expected o = object(e["box"], e["score"], e["cls"]);
    o = {std::clamp(o.x1 + dx, 0.0, width),
         std::clamp(o.y1 + dy, 0.0, height),
         std::clamp(o.x2 + dx, 0.0, width),
         std::clamp(o.y2 + dy, 0.0, height),
         o.score,
         o.class_id};
    objects.push_back(o);
  }
  return objects;
}

TEST(Demo, AllSamplesAtTwoSizes) {
  YOLOCU_REQUIRE_SHARED("demo/sample_expected.json");
  const std::string folder = testing::shared_dir() + "/demo/";
  const json images = read_json(folder + "sample_expected.json")["images"];
  EXPECT_EQ(images.size(), 7u);
  for (const auto& [name, image] : images.items()) {
    for (const int size : {416, 640}) {
      const std::string text = std::to_string(size);
      expect_same_objects(detect(folder + name, {"--size", text, "--precision", "fp32"}),
                          sample_objects(image, size), name + " at " + text);
    }
  }
}

// What `--precision auto` may do where the processor has bf16: objects whose score is next to the
// threshold come and go, the rest hardly moves.
TEST(Demo, AutoPrecisionHardlyShows) {
  YOLOCU_REQUIRE_SHARED("demo/sample_expected.json");
  size_t objects = 0;
  const std::string folder = testing::shared_dir() + "/demo/";
  const json images = read_json(folder + "sample_expected.json")["images"];
  for (const auto& [name, image] : images.items()) {
    const std::vector<Expected> found = detect(folder + name, {});
    const std::vector<Expected> exact = detect(folder + name, {"--precision", "fp32"});
    const auto expect_among = [&where = name](const Expected& e,
                                              const std::vector<Expected>& list) {
      const bool is_there = std::any_of(list.begin(), list.end(), [&](const Expected& f) {
        return f.class_id == e.class_id && std::abs(f.score - e.score) <= 0.02 &&
               intersection_over_union(f, e) >= 0.95;
      });
      EXPECT_TRUE(is_there || e.score < 0.27)
          << where << ": class " << e.class_id << ", " << e.score;
    };
    for (const Expected& e : exact) expect_among(e, found);
    for (const Expected& f : found) expect_among(f, exact);
    objects += exact.size();
  }
  EXPECT_GT(objects, 30u);
}

// The same weights in the dialects of two codes, as tensors without modules, and through our own
// kernels in fp16.
struct CocoCase {
  std::string name, checkpoint;
  Words options = {};
};

class CocoModel : public ::testing::TestWithParam<CocoCase> {};

TEST_P(CocoModel, OnPhotographs) {
  const std::string checkpoint = "weights/" + GetParam().checkpoint;
  YOLOCU_REQUIRE_SHARED(checkpoint);
  YOLOCU_REQUIRE_SHARED("weights/expected");
  YOLOCU_REQUIRE_SHARED("images");
  const TempDir folder;
  const std::string model = folder.file("coco.yolocu");
  const ProgramResult converted =
      run_yolocu({"convert", testing::shared_dir() + "/" + checkpoint, "-o", model});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  for (const std::string name : {"bus", "zidane", "horses", "dog"}) {
    std::vector<Expected> expected;
    const std::string list = testing::shared_dir() + "/weights/expected/" + name + ".json";
    const json document = read_json(list);
    for (const json& e : document["detections"]) {
      expected.push_back(object(e["xyxy"], e["score"], e["cls"]));
    }
    const std::string picture = testing::shared_dir() + "/images/" + name + ".jpg";
    Words words = {"--model", model};
    words.insert(words.end(), GetParam().options.begin(), GetParam().options.end());
    expect_same_objects(detect(picture, words), expected, name);
  }
}

const CocoCase kCocoCases[] = {
    {"yolov9", "yolov9t-coco-official.pt", {"--precision", "fp32"}},
    {"ultralytics", "yolov9t-coco.pt", {"--precision", "fp32"}},
    {"state_dictionary", "yolov9t-coco.safetensors", {"--precision", "fp32"}},
#if YOLOCU_HAS_EMULATION
    {"emulated", "yolov9t-coco-official.pt", {"--device", "emulated"}},
#endif
};

INSTANTIATE_TEST_SUITE_P(Dialects, CocoModel, ::testing::ValuesIn(kCocoCases),
                         [](const auto& test) { return test.param.name; });

#if YOLOCU_HAS_EMULATION
TEST(Demo, EmulatedKernelsFindTheSame) {
  const std::string sample = testing::source_dir() + "/weights/demo/sample.jpg";
  expect_same_objects(detect(sample, {"--device", "emulated"}), kSample, sample);
}
#endif

}  // namespace
}  // namespace yolocu
