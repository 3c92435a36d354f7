#include "apps/draw.h"

#include <cmath>
#include <limits>
#include <set>

#include "apps/stroke_font.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

constexpr Rgb kGrey = {128, 128, 128};

Image grey_picture(int64_t width, int64_t height) {
  return {std::vector<uint8_t>(static_cast<size_t>(width * height * 3), 128), width, height};
}

Rgb pixel(const Image& image, int64_t x, int64_t y) {
  const auto at = static_cast<size_t>((y * image.width + x) * 3);
  return {image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]};
}

const std::vector<std::string> kNames = {"cat", "dog"};

TEST(Draw, BoxHasALineOfItsColourAndAnUntouchedInside) {
  Image image = grey_picture(400, 300);
  draw_detections(image, std::vector<Detection>{{100, 120, 250, 260, 0.5f, 1}}, kNames);
  const Rgb colour = class_colour(1);
  for (const auto& [x, y] : {std::pair{100, 200}, {250, 200}, {180, 260}, {180, 120}}) {
    // The line straddles the edge.
    EXPECT_TRUE(pixel(image, x, y) == colour || pixel(image, x - 1, y - 1) == colour)
        << x << "," << y;
  }
  EXPECT_EQ(pixel(image, 175, 190), kGrey);
  EXPECT_EQ(pixel(image, 95, 200), kGrey);
  EXPECT_EQ(pixel(image, 255, 200), kGrey);
}

TEST(Draw, LabelIsAFilledAreaWithTextAboveTheBox) {
  Image image = grey_picture(400, 300);
  draw_detections(image, std::vector<Detection>{{100, 120, 250, 260, 0.5f, 0}}, kNames);
  int background = 0, ink = 0;
  for (int64_t y = 108; y < 118; ++y) {
    for (int64_t x = 101; x < 130; ++x) {
      background += pixel(image, x, y) == class_colour(0);
      ink += pixel(image, x, y) != class_colour(0);
    }
  }
  EXPECT_GT(background, 100);
  EXPECT_GT(ink, 30);
}

// Rows with anything but the picture's grey.
std::set<int64_t> touched_rows(const Image& image) {
  std::set<int64_t> rows;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      if (pixel(image, x, y) != kGrey) rows.insert(y);
    }
  }
  return rows;
}

TEST(Draw, LabelGoesInsideABoxAtTheTop) {
  Image image = grey_picture(400, 300);
  draw_detections(image, std::vector<Detection>{{100, 0, 250, 100, 0.5f, 0}}, kNames);
  EXPECT_EQ(pixel(image, 102, 3), class_colour(0));
  EXPECT_LE(*touched_rows(image).rbegin(), 102);
}

TEST(Draw, LabelsOfNeighboursDoNotHideEachOther) {
  Image alone = grey_picture(400, 300), both = alone;
  const Detection left = {100, 120, 130, 160, 0.5f, 0}, right = {135, 120, 165, 160, 0.9f, 1};
  draw_detections(alone, std::vector<Detection>{left}, kNames);
  draw_detections(both, std::vector<Detection>{left, right}, kNames);
  const auto count = [](const Image& image, Rgb colour) {
    int pixels = 0;
    for (int64_t y = 0; y < image.height; ++y) {
      for (int64_t x = 0; x < image.width; ++x) pixels += pixel(image, x, y) == colour;
    }
    return pixels;
  };
  EXPECT_GE(count(both, class_colour(0)), count(alone, class_colour(0)) * 95 / 100);
}

TEST(Draw, AnyBoxOnAnyPictureStaysInside) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<Detection> wild = {
      {-1000, -1000, 5000, 5000, 0.9f, 0},
      {10, 10, 5, 5, 0.8f, 1},
      {3e9f, 3e9f, 4e9f, 4e9f, 0.7f, 2},
      {-kInfinity, 0, kInfinity, 3, 0.6f, -7},
      {std::nanf(""), std::nanf(""), std::nanf(""), std::nanf(""), std::nanf(""), int64_t{1} << 40},
      {0, 0, 0, 0, kInfinity, 1}};
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 50}, {50, 1}, {7, 9}, {640, 480}}) {
    Image image = grey_picture(width, height);
    draw_detections(image, wild, kNames);  // the sanitizer watches
    EXPECT_EQ(image.pixels.size(), static_cast<size_t>(width * height * 3));
  }
}

TEST(Draw, NothingFoundChangesNothing) {
  Image image = grey_picture(20, 10);
  draw_detections(image, {}, kNames);
  EXPECT_EQ(image.pixels, grey_picture(20, 10).pixels);
}

TEST(Draw, LinesGrowWithThePicture) {
  EXPECT_EQ(line_width(1, 1), 1);
  EXPECT_LT(line_width(320, 240), line_width(1920, 1080));
  EXPECT_LT(line_width(1920, 1080), line_width(8000, 6000));
}

TEST(Draw, FirstColoursAreAllDifferent) {
  std::set<int> colours;
  for (int64_t i = 0; i < 10; ++i) {
    const Rgb c = class_colour(i);
    colours.insert(c.red << 16 | c.green << 8 | c.blue);
  }
  EXPECT_EQ(colours.size(), 10u);
}

TEST(StrokeFont, EveryCharacterHasInkWithinItsLine) {
  for (char c = '!'; c <= '~'; ++c) {
    const TextStrokes text = lay_out_text(std::string(1, c));
    ASSERT_FALSE(text.strokes.empty()) << c;
    for (const Stroke& s : text.strokes) {
      EXPECT_GE(std::min({s.x0, s.x1, s.y0, s.y1}), 0) << c;
      EXPECT_LE(std::max(s.x0, s.x1), text.width) << c;
      EXPECT_LE(std::max(s.y0, s.y1), kCapHeight + kDescent) << c;
    }
  }
  EXPECT_TRUE(lay_out_text("  ").strokes.empty());
  EXPECT_EQ(lay_out_text("").width, 0);
}

TEST(StrokeFont, NoTwoCharactersLookAlike) {
  std::set<std::string> shapes;
  for (char c = ' '; c <= '~'; ++c) {
    std::string shape;
    for (const Stroke& s : lay_out_text(std::string(1, c)).strokes) {
      for (const float v : {s.x0, s.y0, s.x1, s.y1}) shape += std::to_string(v) + " ";
    }
    EXPECT_TRUE(shapes.insert(shape).second) << c;
  }
}

TEST(StrokeFont, OtherCharactersBecomeOneQuestionMarkEach) {
  const float expected = lay_out_text("a?b").width;
  EXPECT_EQ(lay_out_text("a\xC3\xA9"
                         "b")
                .width,
            expected);
  EXPECT_EQ(lay_out_text("a\xE7\x8C\xAB"
                         "b")
                .width,
            expected);
  EXPECT_EQ(lay_out_text("a\nb").width, expected);
  EXPECT_GT(lay_out_text("ab").width, lay_out_text("a").width + lay_out_text("b").width);
}

}  // namespace
}  // namespace yolocu
