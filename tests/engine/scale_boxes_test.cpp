// Boxes of the network input back in pixels of the picture.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/postprocess/nms.h"
#include "tests/engine/golden.h"

namespace yolocu {
namespace {

using testing::load_json;

// The corners of one box after scale_boxes, which must leave the rest alone.
std::array<float, 4> scaled(std::array<float, 4> box, int64_t net_height, int64_t net_width,
                            int64_t image_height, int64_t image_width) {
  Detection d = {box[0], box[1], box[2], box[3], 0.5f, 7};
  scale_boxes({&d, 1}, net_height, net_width, image_height, image_width);
  EXPECT_EQ(d.score, 0.5f);
  EXPECT_EQ(d.class_id, 7);
  return {d.x1, d.y1, d.x2, d.y2};
}

TEST(ScaleBoxes, SamePictureIsUnchanged) {
  EXPECT_EQ(scaled({1, 2, 30, 40}, 64, 64, 64, 64), (std::array<float, 4>{1, 2, 30, 40}));
}

TEST(ScaleBoxes, RemovesThePaddingOfAWidePicture) {
  // 200 x 100 into 100 x 100: gain 0.5, 25 rows of padding above.
  EXPECT_EQ(scaled({10, 35, 20, 55}, 100, 100, 100, 200), (std::array<float, 4>{20, 20, 40, 60}));
}

TEST(ScaleBoxes, PaddingIsNotRounded) {
  // 10 x 10 into 13 x 10: gain 1, 1.5 columns on each side although letterbox uses 1 and 2.
  EXPECT_EQ(scaled({2, 0, 5, 5}, 10, 13, 10, 10), (std::array<float, 4>{0.5f, 0, 3.5f, 5}));
}

TEST(ScaleBoxes, ClipsToThePicture) {
  EXPECT_EQ(scaled({-9, -9, 99, 99}, 20, 20, 10, 20), (std::array<float, 4>{0, 0, 20, 10}));
}

TEST(ScaleBoxes, EnlargedPictureIsReduced) {
  EXPECT_EQ(scaled({0, 0, 64, 32}, 64, 64, 16, 16), (std::array<float, 4>{0, 0, 16, 8}));
}

TEST(ScaleBoxes, InfinityIsClippedAndNanStays) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto box = scaled({-inf, std::nanf(""), inf, 3}, 8, 8, 8, 8);
  EXPECT_EQ(box[0], 0);
  EXPECT_TRUE(std::isnan(box[1]));
  EXPECT_EQ(box[2], 8);
  EXPECT_EQ(box[3], 3);
}

TEST(ScaleBoxes, NoBoxesAreFine) {
  scale_boxes({}, 8, 8, 8, 8);
}

TEST(ScaleBoxes, EqualsTheOfficialCode) {
  YOLOCU_REQUIRE_SHARED("golden/d/letterbox/letterbox.json");
  const auto golden = load_json("d/letterbox/letterbox.json");
  int boxes = 0;
  for (const auto& test : golden["cases"]) {
    const auto net = test["out_hw"].get<std::vector<int64_t>>();
    const auto image = test["in_hw"].get<std::vector<int64_t>>();
    for (size_t i = 0; i < test["boxes_in"].size(); ++i) {
      SCOPED_TRACE(test["output"].get<std::string>() + ", box " + std::to_string(i));
      const auto box = test["boxes_in"][i].get<std::array<float, 4>>();
      const auto expected = test["boxes_scaled"][i].get<std::array<float, 4>>();
      EXPECT_EQ(scaled(box, net[0], net[1], image[0], image[1]), expected);
      ++boxes;
    }
  }
  EXPECT_GE(boxes, 200);
}

}  // namespace
}  // namespace yolocu
