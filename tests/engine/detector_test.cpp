// From a picture to boxes in its pixels, with a network whose answer is known.
#include "yolocu/detector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/tiny_model.h"
#include "weights/format/packed_file.h"

namespace yolocu {
namespace {

using testing::tiny_model;

// The tiny model answers each 2x2 patch of its 8x8 input with a box of 2x2 pixels around it and
// equal logits 1 + 0.5 * (sum of the patch's 12 values) for both classes.
const std::vector<std::byte>& tiny_bytes() {
  static const std::vector<std::byte> bytes = [] {
    auto packed = serialize_packed(*tiny_model());
    EXPECT_TRUE(packed.ok()) << packed.status().message();
    return packed.ok() ? *std::move(packed) : std::vector<std::byte>{};
  }();
  return bytes;
}

Result<Detector> tiny_detector(DetectorOptions options) {
  options.device = Device::kReference;
  return Detector::from_bytes(tiny_bytes(), options);
}

// sigmoid(1 + 6 * level): the score of a patch of one grey level, 0..1.
float score_of(double level) {
  return static_cast<float>(1 / (1 + std::exp(-1 - 6 * level)));
}

TEST(Detector, FindsEveryPatchOfAWhitePicture) {
  auto detector = tiny_detector({});
  ASSERT_OK(detector);
  EXPECT_EQ(detector->class_names(), (std::vector<std::string>{"first", "second"}));
  const std::vector<uint8_t> white(8 * 8 * 3, 255);
  const auto found = detector->detect({white.data(), 8, 8, 24});
  ASSERT_OK(found);
  ASSERT_EQ(found->size(), 16u);
  for (size_t i = 0; i < 16; ++i) {
    const Detection& d = (*found)[i];
    EXPECT_NEAR(d.score, score_of(1), 1e-6);
    EXPECT_EQ(d.class_id, 0);
    EXPECT_NEAR(d.x1, static_cast<float>(2 * (i % 4)), 1e-5);
    EXPECT_NEAR(d.y1, static_cast<float>(2 * (i / 4)), 1e-5);
    EXPECT_NEAR(d.x2 - d.x1, 2, 1e-5);
    EXPECT_NEAR(d.y2 - d.y1, 2, 1e-5);
  }
}

// 16 x 8 pixels, of which the left half is white: halved, with two rows of grey above and below.
TEST(Detector, BoxesAreInPixelsOfThePicture) {
  auto detector = tiny_detector({.confidence = 0.99f});
  ASSERT_OK(detector);
  std::vector<uint8_t> picture(16 * 8 * 3, 0);
  for (size_t i = 0; i < picture.size(); ++i) picture[i] = i % 48 < 24 ? 255 : 0;
  const auto found = detector->detect({picture.data(), 16, 8, 48});
  ASSERT_OK(found);
  ASSERT_EQ(found->size(), 4u);
  const float expected[4][2] = {{0, 0}, {4, 0}, {0, 4}, {4, 4}};
  for (size_t i = 0; i < 4; ++i) {
    const Detection& d = (*found)[i];
    EXPECT_NEAR(d.x1, expected[i][0], 1e-4);
    EXPECT_NEAR(d.y1, expected[i][1], 1e-4);
    EXPECT_NEAR(d.x2, expected[i][0] + 4, 1e-4);
    EXPECT_NEAR(d.y2, expected[i][1] + 4, 1e-4);
  }
}

TEST(Detector, SortsByScoreAndRepeats) {
  auto detector = tiny_detector({.max_detections = 5});
  ASSERT_OK(detector);
  std::vector<uint8_t> ramp(8 * 8 * 3);
  for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<uint8_t>(i);
  const ImageView view = {ramp.data(), 8, 8, 24};
  const auto found = detector->detect(view);
  ASSERT_OK(found);
  ASSERT_EQ(found->size(), 5u);
  for (size_t i = 1; i < 5; ++i) EXPECT_GE((*found)[i - 1].score, (*found)[i].score);
  const auto again = detector->detect(view);
  ASSERT_OK(again);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ((*again)[i].x1, (*found)[i].x1);
}

TEST(Detector, ClassFilterKeepsOnlyThoseClasses) {
  auto detector = tiny_detector({.classes = {1}});
  ASSERT_OK(detector);
  const std::vector<uint8_t> white(8 * 8 * 3, 255);
  const auto found = detector->detect({white.data(), 8, 8, 24});
  ASSERT_OK(found);
  EXPECT_TRUE(found->empty());  // of the equal classes the first is the best
}

TEST(Detector, TakesAnotherInputSize) {
  auto detector = tiny_detector({.height = 4, .width = 6});
  ASSERT_OK(detector);
  const std::vector<uint8_t> white(4 * 6 * 3, 255);
  const auto found = detector->detect({white.data(), 6, 4, 18});
  ASSERT_OK(found);
  EXPECT_EQ(found->size(), 6u);
}

TEST(Detector, RefusesOptionsOutOfRange) {
  struct Case {
    DetectorOptions options;
    std::string message;
  };
  const Case cases[] = {
      {{.confidence = 1.5f}, "confidence: expected 0 to 1, got 1.5"},
      {{.confidence = -0.1f}, "confidence: expected 0 to 1, got -0.1"},
      {{.confidence = NAN}, "confidence: expected 0 to 1, got nan"},
      {{.iou = 2}, "iou: expected 0 to 1, got 2"},
      {{.max_detections = 0}, "max_detections: expected at least 1, got 0"},
      {{.classes = {0, 2}}, "classes: this model has the classes 0 to 1, got 2"},
      {{.classes = {-1}}, "classes: this model has the classes 0 to 1, got -1"},
  };
  for (const Case& c : cases) {
    const auto detector = tiny_detector(c.options);
    EXPECT_EQ(detector.status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(detector.status().message(), c.message);
  }
}

TEST(Detector, RefusesImpossiblePictures) {
  auto detector = tiny_detector({});
  ASSERT_OK(detector);
  const std::vector<uint8_t> pixels(12);
  for (const ImageView& view :
       {ImageView{}, ImageView{nullptr, 2, 2, 6}, ImageView{pixels.data(), 2, 0, 6},
        ImageView{pixels.data(), -2, 2, 6}, ImageView{pixels.data(), 2, 2, 5}}) {
    const auto found = detector->detect(view);
    EXPECT_EQ(found.status().code(), StatusCode::kInvalidArgument);
    EXPECT_FALSE(found.status().message().empty());
  }
  EXPECT_TRUE(detector->detect({pixels.data(), 2, 2, 6}).ok());  // still usable
}

TEST(Detector, OpenNamesTheFile) {
  const testing::TempDir folder;
  const std::string absent = folder.file("absent.yolocu");
  EXPECT_EQ(Detector::open(absent, {}).status().code(), StatusCode::kNotFound);
  EXPECT_NE(Detector::open(absent, {}).status().message().find(absent), std::string::npos);
  const std::string present = folder.file("tiny.yolocu");
  testing::write_bytes(present, tiny_bytes());
  EXPECT_TRUE(Detector::open(present, {.device = Device::kReference}).ok());
  const auto refused = Detector::open(present, {.classes = {9}});
  EXPECT_NE(refused.status().message().find(present), std::string::npos);
  EXPECT_FALSE(Detector::from_bytes({}, {}).ok());
}

// The score is objectness * class, here 1/2 for the second class and 1/4 for the first.
TEST(Detector, AnchorHeadsScoreObjectnessTimesClass) {
  const auto bytes = serialize_packed(*testing::tiny_anchor_model());
  ASSERT_OK(bytes);
  const std::vector<uint8_t> picture(8 * 8 * 3, 0);
  for (const Device device : {Device::kReference, Device::kAuto}) {
    auto detector = Detector::from_bytes(*bytes, {.device = device, .confidence = 0.4f});
    ASSERT_OK(detector);
    const auto found = detector->detect({picture.data(), 8, 8, 24});
    ASSERT_OK(found);
    ASSERT_EQ(found->size(), 16u);  // neighbours overlap by a third, less than 0.45
    for (size_t i = 0; i < 16; ++i) {
      const Detection& d = (*found)[i];
      EXPECT_EQ(d.class_id, 1);
      EXPECT_NEAR(d.score, 0.5, 1e-6);
      const auto column = static_cast<float>(i % 4), row = static_cast<float>(i / 4);
      EXPECT_NEAR(d.x1, std::max(0.0f, 2 * column - 1), 1e-5);
      EXPECT_NEAR(d.y2, std::min(8.0f, 2 * row + 3), 1e-5);
    }
  }
}

}  // namespace
}  // namespace yolocu
