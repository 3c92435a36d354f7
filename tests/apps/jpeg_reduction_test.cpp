// JPEG files decoded at a part of their size, against cv2.imread(IMREAD_REDUCED_COLOR_x), and where
// things are in them.
#include <algorithm>
#include <optional>
#include <string>

#include "apps/image_io.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::TempDir;

bool can_reduce() {
  return jpeg_decoder_name().starts_with("libjpeg-turbo ");
}

std::string picture(const std::string& name) {
  return testing::source_dir() + "/tests/data/pictures/" + name;
}

TEST(JpegReduction, PixelsAreThoseOfCv2) {
  if (!can_reduce()) GTEST_SKIP() << "this build has no libjpeg-turbo";
  struct Case {
    std::string name;
    NetworkSize network;
    int64_t reduction;
  };
  // 75 x 53 pixels: one direction that is not enlarged is enough.
  const Case cases[] = {{"ycc_420", {37, 53}, 2},
                        {"ycc_420", {18, 13}, 4},
                        {"ycc_420", {75, 6}, 8},
                        {"cmyk", {18, 13}, 4}};
  for (const Case& c : cases) {
    const auto reduced = read_reduced_image(picture(c.name + ".jpg"), c.network);
    ASSERT_OK(reduced);
    EXPECT_EQ(reduced->width, 75);
    EXPECT_EQ(reduced->height, 53);
    ASSERT_EQ(reduced->reduction, c.reduction);
    const auto expected =
        read_image(picture(c.name + "_reduced_" + std::to_string(c.reduction) + ".png"));
    ASSERT_OK(expected);
    EXPECT_EQ(reduced->image.width, expected->width);
    EXPECT_EQ(reduced->image.height, expected->height);
    EXPECT_EQ(reduced->image.pixels, expected->pixels) << c.name << " at 1/" << c.reduction;
  }
}

TEST(JpegReduction, WhatTheNetworkNeedsIsDecoded) {
  for (const NetworkSize network : {NetworkSize{38, 27}, {640, 640}, {75, 53}}) {
    const auto reduced = read_reduced_image(picture("ycc_420.jpg"), network);
    const auto whole = read_image(picture("ycc_420.jpg"));
    ASSERT_OK(reduced);
    ASSERT_OK(whole);
    EXPECT_EQ(reduced->reduction, 1);
    EXPECT_EQ(reduced->image.pixels, whole->pixels);
  }
  const auto png = read_reduced_image(picture("ycc_420.png"), NetworkSize{8, 8});
  ASSERT_OK(png);
  EXPECT_EQ(png->reduction, 1);
}

// 75 x 53: white with a black rectangle that fills blocks of 8 x 8 exactly.
Image black_on_white() {
  Image image{std::vector<uint8_t>(75 * 53 * 3, 255), 75, 53};
  for (int64_t y = 8; y < 24; ++y) {
    std::fill_n(image.pixels.begin() + (y * 75 + 16) * 3, 24 * 3, uint8_t{0});
  }
  return image;
}

// An EXIF segment with nothing but an orientation.
std::string exif(char orientation) {
  const std::string tiff = std::string("II*\0\x08\0\0\0\x01\0", 10) +
                           std::string("\x12\x01\x03\0\x01\0\0\0", 8) + orientation +
                           std::string(7, '\0');
  const std::string body = std::string("Exif\0\0", 6) + tiff;
  return std::string("\xFF\xE1\0", 3) + static_cast<char>(body.size() + 2) + body;
}

// Edges of what is dark.
Detection dark_box(const Image& image) {
  Detection box{1e9f, 1e9f, 0, 0, 0, 0};
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      if (image.pixels[static_cast<size_t>((y * image.width + x) * 3)] > 127) continue;
      box.x1 = std::min(box.x1, static_cast<float>(x));
      box.y1 = std::min(box.y1, static_cast<float>(y));
      box.x2 = std::max(box.x2, static_cast<float>(x + 1));
      box.y2 = std::max(box.y2, static_cast<float>(y + 1));
    }
  }
  return box;
}

TEST(JpegReduction, BoxesAreThoseOfTheWholePictureInEveryOrientation) {
  const TempDir folder;
  ASSERT_OK(write_image(folder.file("x.jpg"), black_on_white()));
  const auto bytes = testing::read_bytes(folder.file("x.jpg"));
  const std::string plain(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (char orientation = 1; orientation <= 8; ++orientation) {
    std::string text = plain;
    text.insert(2, exif(orientation));
    const auto file = std::as_bytes(std::span(text));
    const auto whole = decode_image(file);
    // An eighth of the width as it is stored, which is the height from the fifth orientation on.
    const NetworkSize network = orientation < 5 ? NetworkSize{9, 54} : NetworkSize{54, 9};
    const auto reduced = decode_reduced_image(file, network);
    ASSERT_OK(whole);
    ASSERT_OK(reduced);
    EXPECT_EQ(reduced->reduction, can_reduce() ? 8 : 1);
    EXPECT_EQ(reduced->width, whole->width);
    EXPECT_EQ(reduced->height, whole->height);
    const Detection expected = dark_box(*whole);
    const Detection box = in_whole_picture(*reduced, dark_box(reduced->image));
    const int n = orientation;
    EXPECT_EQ(box.x1, expected.x1) << "orientation " << n;
    EXPECT_EQ(box.y1, expected.y1) << "orientation " << n;
    EXPECT_EQ(box.x2, expected.x2) << "orientation " << n;
    EXPECT_EQ(box.y2, expected.y2) << "orientation " << n;
  }
}

TEST(JpegReduction, BoxesAreClippedToTheWholePicture) {
  const ReducedImage reduced{{}, 75, 53, 8, -5, -3};
  const Detection box = in_whole_picture(reduced, {0, 0, 10, 7, 0.5f, 3});
  EXPECT_EQ(box.x1, 0);
  EXPECT_EQ(box.y1, 0);
  EXPECT_EQ(box.x2, 75);
  EXPECT_EQ(box.y2, 53);
  EXPECT_EQ(box.score, 0.5f);
  EXPECT_EQ(box.class_id, 3);
}

}  // namespace
}  // namespace yolocu
