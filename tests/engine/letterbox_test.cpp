// The letterbox against the values of cv2.resize and of the official letterbox(), bit for bit.
#include "engine/preprocess/letterbox.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#include <stb_image.h>

#include "tests/engine/golden.h"

namespace yolocu {
namespace {

using testing::golden_path;
using testing::load_json;

struct Picture {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> pixels;  // [height, width, 3]
  ImageView view() const { return {pixels.data(), width, height, width * 3}; }
};

Picture filled(int64_t height, int64_t width, uint8_t value) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3), value)};
}

// Byte i is the top byte of a splitmix64 step of i + seed.
Picture noise(int64_t height, int64_t width, uint64_t seed) {
  Picture picture = filled(height, width, 0);
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    uint64_t z = (i + seed) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    picture.pixels[i] = static_cast<uint8_t>((z ^ (z >> 27)) >> 56);
  }
  return picture;
}

Picture resized(const ImageView& src, int64_t height, int64_t width) {
  Picture result = filled(height, width, 0xEE);
  resize_bilinear_u8(result.pixels, height, width, src);
  return result;
}

uint64_t fnv1a(const std::vector<uint8_t>& bytes) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3u;
  return hash;
}

// Hashes of cv2.resize(noise(h, w, index), INTER_LINEAR), OpenCV 5.0.0; 4.5.5 and 4.10 agree.
TEST(ResizeBilinear, EqualsOpencvBitForBit) {
  struct Case {
    int64_t src_height, src_width, height, width;
    uint64_t hash;
  };
  constexpr Case kCases[] = {
      {1, 1, 1, 1, 0xD8AD82186B87C28Eu},     {1, 1, 5, 7, 0x82F21A80E04EA907u},
      {1, 9, 4, 3, 0x5067FF1E6EF34571u},     {9, 1, 3, 4, 0xCD0FE96C159D0F25u},
      {2, 2, 1, 1, 0xFE72F61B563F8BD4u},     {4, 6, 2, 3, 0xA32D5F273347C76Eu},
      {4, 6, 2, 4, 0x0BAB3E99EA40D9F3u},     {3, 5, 3, 5, 0x5CF4489A3D6D9D08u},
      {3, 3, 2, 2, 0x8C430BC827D3B7A8u},     {7, 5, 14, 10, 0x11F0820BE0788D76u},
      {5, 7, 13, 11, 0x16F2FDFE0F53B35Bu},   {37, 53, 31, 64, 0xDBA2755215D86EF7u},
      {64, 48, 21, 16, 0xF40FDE62DE8A558Cu}, {101, 67, 33, 22, 0xD451CB61BF9EA78Du},
      {40, 300, 9, 64, 0x1B3D171492B91E12u}, {120, 90, 60, 45, 0x89CC8620C6370A1Bu},
  };
  uint64_t seed = 0;
  for (const Case& c : kCases) {
    const Picture src = noise(c.src_height, c.src_width, seed++);
    EXPECT_EQ(fnv1a(resized(src.view(), c.height, c.width).pixels), c.hash)
        << c.src_height << "x" << c.src_width << " to " << c.height << "x" << c.width;
  }
}

TEST(ResizeBilinear, OneColourStaysThatColour) {
  for (const int value : {0, 1, 114, 254, 255}) {
    const Picture src = filled(13, 7, static_cast<uint8_t>(value));
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{31, 64}, {5, 3}, {1, 1}}) {
      EXPECT_EQ(resized(src.view(), height, width).pixels,
                filled(height, width, static_cast<uint8_t>(value)).pixels);
    }
  }
}

// Half-pixel centres: two pixels 0 and 200 enlarged to four are sampled at -0.25 0.25 0.75 1.25.
TEST(ResizeBilinear, SamplesAtHalfPixelCentres) {
  const std::vector<uint8_t> row = {0, 0, 0, 200, 200, 200};
  const Picture result = resized({row.data(), 2, 1, 6}, 1, 4);
  EXPECT_EQ(result.pixels,
            (std::vector<uint8_t>{0, 0, 0, 50, 50, 50, 150, 150, 150, 200, 200, 200}));
}

TEST(ResizeBilinear, HalfSizeAveragesFourPixels) {
  const Picture src = {2, 2, {0, 1, 255, 1, 1, 255, 0, 0, 255, 0, 0, 254}};
  EXPECT_EQ(resized(src.view(), 1, 1).pixels, (std::vector<uint8_t>{0, 1, 255}));
}

TEST(ResizeBilinear, RowsMayHaveGaps) {
  const Picture dense = noise(9, 5, 3);
  std::vector<uint8_t> padded;
  for (size_t y = 0; y < 9; ++y) {
    padded.insert(padded.end(), dense.pixels.begin() + static_cast<std::ptrdiff_t>(y * 15),
                  dense.pixels.begin() + static_cast<std::ptrdiff_t>(y * 15 + 15));
    padded.insert(padded.end(), 4, uint8_t{0xAA});
  }
  EXPECT_EQ(resized({padded.data(), 5, 9, 19}, 6, 11).pixels, resized(dense.view(), 6, 11).pixels);
}

LetterboxGeometry geometry(int64_t height, int64_t width, int64_t net_height, int64_t net_width) {
  const auto result = letterbox_geometry(height, width, net_height, net_width);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? *result : LetterboxGeometry{};
}

std::array<int64_t, 4> numbers(const LetterboxGeometry& g) {
  return {g.resized_height, g.resized_width, g.top, g.left};
}

TEST(LetterboxGeometry, OddPaddingHasItsSmallerHalfFirst) {
  EXPECT_EQ(numbers(geometry(37, 53, 640, 640)), (std::array<int64_t, 4>{447, 640, 96, 0}));
  EXPECT_EQ(numbers(geometry(9, 10, 10, 10)), (std::array<int64_t, 4>{9, 10, 0, 0}));
}

TEST(LetterboxGeometry, TiesRoundToEven) {
  // gain 0.5: 5 rows become 2.5 -> 2, 7 rows 3.5 -> 4.
  EXPECT_EQ(geometry(5, 20, 10, 10).resized_height, 2);
  EXPECT_EQ(geometry(7, 20, 10, 10).resized_height, 4);
}

TEST(LetterboxGeometry, AtLeastOnePixelRemains) {
  EXPECT_EQ(numbers(geometry(1, 10000, 640, 640)), (std::array<int64_t, 4>{1, 640, 319, 0}));
  EXPECT_EQ(numbers(geometry(1, 1, 32, 64)), (std::array<int64_t, 4>{32, 32, 0, 16}));
}

TEST(LetterboxGeometry, RefusesImpossibleSizes) {
  const int64_t big = int64_t{1} << 20;
  const std::array<int64_t, 4> bad[] = {
      {0, 5, 64, 64},  {5, 0, 64, 64},       {-1, 5, 64, 64},        {5, 5, 0, 64},
      {5, 5, 64, -64}, {big + 1, 1, 64, 64}, {1, INT64_MAX, 64, 64}, {big, big, 64, 64}};
  for (const auto& [h, w, net_h, net_w] : bad) {
    const auto result = letterbox_geometry(h, w, net_h, net_w);
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument) << h << "x" << w;
    EXPECT_NE(result.status().message().find(std::to_string(w) + "x" + std::to_string(h)),
              std::string::npos)
        << result.status().message();
  }
  EXPECT_TRUE(letterbox_geometry(1024, big, 64, 64).ok());
}

TEST(Letterbox, PadsAndNormalizes) {
  const Picture src = filled(2, 4, 255);
  std::vector<float> out(4 * 4 * 3, NAN);
  std::vector<uint8_t> scratch;
  ASSERT_OK(letterbox(out, 4, 4, 114, src.view(), scratch));
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i], i < 12 || i >= 36 ? 114.0f / 255.0f : 1.0f) << "element " << i;
  }
}

TEST(Letterbox, ScratchOfAnotherPictureDoesNotMatter) {
  std::vector<uint8_t> scratch;
  std::vector<float> first(32 * 32 * 3), again(32 * 32 * 3);
  const Picture a = noise(20, 11, 1);
  const Picture b = noise(64, 50, 2);
  ASSERT_OK(letterbox(first, 32, 32, 114, a.view(), scratch));
  ASSERT_OK(letterbox(again, 32, 32, 114, b.view(), scratch));
  ASSERT_OK(letterbox(again, 32, 32, 114, a.view(), scratch));
  EXPECT_EQ(first, again);
}

TEST(Letterbox, RefusesViewsWithoutPixels) {
  std::vector<float> out(8 * 8 * 3);
  std::vector<uint8_t> scratch;
  const Picture src = filled(4, 4, 9);
  for (const ImageView& view :
       {ImageView{}, ImageView{nullptr, 4, 4, 12}, ImageView{src.pixels.data(), 4, 4, 11},
        ImageView{src.pixels.data(), 0, 4, 12}}) {
    EXPECT_EQ(letterbox(out, 8, 8, 114, view, scratch).code(), StatusCode::kInvalidArgument);
  }
}

Picture load_picture(const std::string& name) {
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> data(
      stbi_load(golden_path("d/letterbox/" + name).c_str(), &width, &height, &channels, 3),
      stbi_image_free);
  EXPECT_NE(data, nullptr) << name;
  if (data == nullptr) return {};
  return {
      height, width, {data.get(), data.get() + size_t{3} * static_cast<size_t>(width * height)}};
}

// Resize with the size and padding that the case states, beyond what letterbox() itself offers.
TEST(Letterbox, EveryPolicyOfTheOfficialCodeEqualsItsPictures) {
  YOLOCU_REQUIRE_SHARED("golden/d/letterbox/letterbox.json");
  const auto golden = load_json("d/letterbox/letterbox.json");
  ASSERT_GE(golden["cases"].size(), 20u);
  for (const auto& test : golden["cases"]) {
    SCOPED_TRACE(test["output"].get<std::string>());
    const Picture src = load_picture(test["input"]);
    const Picture expected = load_picture(test["output"]);
    const double gain = test["ratio"][0];
    const auto height = std::lrint(static_cast<double>(src.height) * gain);
    const auto width = std::lrint(static_cast<double>(src.width) * gain);
    const auto top = std::lrint(test["pad_wh"][1].get<double>() - 0.1);
    const auto left = std::lrint(test["pad_wh"][0].get<double>() - 0.1);
    const Picture inner = resized(src.view(), height, width);
    Picture whole = filled(expected.height, expected.width, 114);
    for (int64_t y = 0; y < height; ++y) {
      std::copy_n(inner.pixels.begin() + y * width * 3, width * 3,
                  whole.pixels.begin() + ((top + y) * whole.width + left) * 3);
    }
    EXPECT_TRUE(whole.pixels == expected.pixels) << "pixels differ";
  }
}

TEST(Letterbox, EqualsTheOfficialLetterbox) {
  YOLOCU_REQUIRE_SHARED("golden/d/letterbox/letterbox.json");
  int tested = 0;
  const auto golden = load_json("d/letterbox/letterbox.json");
  for (const auto& test : golden["cases"]) {
    const auto& settings = test["settings"];
    if (settings["auto"] || !settings.value("scaleup", true)) continue;
    SCOPED_TRACE(test["output"].get<std::string>());
    const Picture src = load_picture(test["input"]);
    const Picture expected = load_picture(test["output"]);
    std::vector<float> wanted;
    for (const uint8_t value : expected.pixels) wanted.push_back(static_cast<float>(value) / 255);
    std::vector<float> out(expected.pixels.size(), NAN);
    std::vector<uint8_t> scratch;
    ASSERT_OK(letterbox(out, expected.height, expected.width, 114, src.view(), scratch));
    EXPECT_TRUE(testing::all_close(out, wanted, 0, 0));
    ++tested;
  }
  EXPECT_GE(tested, 6);
}

}  // namespace
}  // namespace yolocu
