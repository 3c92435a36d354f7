// Real checkpoints on real pictures against their labels.
#include "tests/apps/accuracy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "apps/image_io.h"
#include "engine/executor.h"
#include "tests/reference/coco_ap.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using nlohmann::json;
using reference::CocoObject;
using testing::AccuracySetting;
using testing::detect_all;
using testing::Score;
using testing::score_of;
using testing::score_on_coco;

std::unique_ptr<Executor> executor_of(const std::string& checkpoint,
                                      const AccuracySetting& setting) {
  auto converted = convert_checkpoint(checkpoint, {.weight_dtype = DType::kF32});
  EXPECT_TRUE(converted.ok()) << converted.status().message();
  if (!converted.ok()) return nullptr;
  auto executor = create_executor(
      std::make_shared<const Model>(std::move(converted->model)), Device::kAuto,
      {.height = setting.size, .width = setting.size, .precision = Precision::kFp32});
  EXPECT_TRUE(executor.ok()) << executor.status().message();
  return executor.ok() ? std::move(*executor) : nullptr;
}

// The same fused weights, pickled by two codes: equal predictions, bit for bit.
TEST(Accuracy, DialectsOfOneModelAgree) {
  const AccuracySetting setting{640, ScoreLayout::kClasses, 0.7};
  std::vector<std::vector<float>> predictions;
  for (const std::string name : {"yolov9t-coco", "yolov9t-coco-official"}) {
    YOLOCU_REQUIRE_SHARED("weights/" + name + ".pt");
    const auto executor = executor_of(testing::shared_dir() + "/weights/" + name + ".pt", setting);
    ASSERT_NE(executor, nullptr);
    const auto x = testing::random_floats(executor->input().size(), 7);
    std::ranges::transform(x, executor->input().begin(), [](float v) { return 0.5f + v / 2; });
    ASSERT_TRUE(executor->run().ok());
    predictions.emplace_back(executor->output().begin(), executor->output().end());
  }
  EXPECT_TRUE(testing::all_close(predictions[0], predictions[1], 0, 0));
}

// Lines of class, centre and size as fractions of the picture.
std::vector<CocoObject> read_labels(const std::string& path, int64_t image, const Image& picture) {
  std::vector<CocoObject> labels;
  std::ifstream in(path);
  const auto width = static_cast<double>(picture.width);
  const auto height = static_cast<double>(picture.height);
  int64_t category = 0;
  for (double x = 0, y = 0, w = 0, h = 0; in >> category >> x >> y >> w >> h;) {
    labels.push_back({.image = image,
                      .category = category,
                      .x = (x - w / 2) * width,
                      .y = (y - h / 2) * height,
                      .width = w * width,
                      .height = h * height,
                      .area = w * width * h * height});
  }
  return labels;
}

// A trained YOLOv7 with strides 4, 8, 4, whose official code reaches AP 0.544 and AP50 0.817.
TEST(Accuracy, TrainedYolov7OnItsOwnKindOfPictures) {
  YOLOCU_REQUIRE_SHARED("weights/yolov7/robocup-tiny.pt");
  YOLOCU_REQUIRE_SHARED("robocup/images");
  const AccuracySetting setting{320, ScoreLayout::kObjectnessAndClasses, 0.65};
  const std::string folder = testing::shared_dir() + "/robocup/";
  const auto executor =
      executor_of(testing::shared_dir() + "/weights/yolov7/robocup-tiny.pt", setting);
  ASSERT_NE(executor, nullptr);
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "images")) {
    paths.insert(entry.path());
  }
  ASSERT_EQ(paths.size(), 26u);
  std::vector<CocoObject> labels, found;
  int64_t image = 0;
  for (const auto& path : paths) {
    const auto picture = read_image(path);
    ASSERT_OK(picture);
    const std::string name = path.stem();
    for (const CocoObject& o : read_labels(folder + "labels/" + name + ".txt", image, *picture)) {
      labels.push_back(o);
    }
    for (const CocoObject& o : detect_all(*executor, setting, *picture, image)) found.push_back(o);
    ++image;
  }
  ASSERT_GT(labels.size(), 40u);
  const Score score = score_of(found, labels, 4);
  EXPECT_NEAR(score.ap, 0.544, 0.01);
  EXPECT_NEAR(score.ap50, 0.817, 0.01);
}

// YOLOv9-T of COCO in the Ultralytics dialect on half of the pictures of its validation subset.
TEST(Accuracy, CocoYolov9OnCoco) {
  YOLOCU_REQUIRE_SHARED("weights/yolov9t-coco.pt");
  YOLOCU_REQUIRE_SHARED("coco_val/instances.json");
  const AccuracySetting setting{640, ScoreLayout::kClasses, 0.7};
  const std::string folder = testing::shared_dir() + "/coco_val/";
  const auto executor = executor_of(testing::shared_dir() + "/weights/yolov9t-coco.pt", setting);
  ASSERT_NE(executor, nullptr);
  const json expected = json::parse(std::ifstream(folder + "expected.json"));
  const Score score =
      score_on_coco(*executor, setting, folder + "instances.json", folder + "images");
  EXPECT_NEAR(score.ap, expected["AP"].get<double>(), 0.003);
  EXPECT_NEAR(score.ap50, expected["AP50"].get<double>(), 0.005);
}

}  // namespace
}  // namespace yolocu
