// JPEG files against what cv2.imread makes of them, and files that are damaged.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "apps/image_io.h"
#include "apps/picture_decoders.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

// The largest difference from cv2.imread: none for libjpeg-turbo, which is what it uses. stb has
// its own arithmetic, and widens 4:2:2 chroma differently.
int tolerance() {
  return jpeg_decoder_name().starts_with("libjpeg-turbo ") ? 0 : 7;
}

std::string picture(const std::string& name) {
  return testing::source_dir() + "/tests/data/pictures/" + name;
}

std::string file_text(const std::string& name) {
  const auto bytes = testing::read_bytes(picture(name));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<Image> decode(const std::string& text) {
  return decode_image(std::as_bytes(std::span(text)));
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  }
  return largest;
}

// Every way to store colours that cameras and programs use; 75 x 53 pixels end within a block.
TEST(JpegDecoder, PixelsAreThoseOfCv2) {
  const std::pair<std::string, std::string> files[] = {
      {"ycc_420", "ycc_420"}, {"ycc_422", "ycc_422"},
      {"ycc_440", "ycc_440"}, {"ycc_411", "ycc_411"},
      {"ycc_444", "ycc_444"}, {"progressive_420", "ycc_420"},
      {"grey", "grey"},       {"restarts_420", "ycc_420"},
      {"cmyk", "cmyk"},       {"ycck", "ycck"},
      {"rgb", "rgb"},
  };
  for (const auto& [jpeg, png] : files) {
    const auto decoded = read_image(picture(jpeg + ".jpg"));
    const auto expected = read_image(picture(png + ".png"));
    ASSERT_OK(decoded);
    ASSERT_OK(expected);
    ASSERT_EQ(decoded->width, 75) << jpeg;
    ASSERT_EQ(decoded->height, 53) << jpeg;
    ASSERT_EQ(decoded->pixels.size(), expected->pixels.size()) << jpeg;
    EXPECT_LE(largest_difference(*decoded, *expected), tolerance()) << jpeg;
  }
}

TEST(JpegDecoder, AFileCutOffAnywhereIsRefused) {
  for (const char* name : {"ycc_420.jpg", "progressive_420.jpg", "restarts_420.jpg"}) {
    const std::string whole = file_text(name);
    ASSERT_OK(decode(whole));
    for (size_t size = 0; size < whole.size(); ++size) {
      const auto image = decode(whole.substr(0, size));
      ASSERT_FALSE(image.ok()) << name << " cut to " << size << " bytes";
      EXPECT_EQ(image.status().code(), StatusCode::kCorrupt);
      EXPECT_TRUE(image.status().message().starts_with("not a picture this program can read"));
    }
  }
}

// Whatever a flipped byte makes of a file, it is a picture or an error. Those that claim to be
// large are refused or cost memory only; the sizes lie at bytes that are left alone.
TEST(JpegDecoder, FlippedBytesCannotCrash) {
  for (const char* name : {"ycc_420.jpg", "progressive_420.jpg", "ycck.jpg", "restarts_420.jpg"}) {
    const std::string whole = file_text(name);
    const size_t frame = std::min(whole.find("\xFF\xC0"), whole.find("\xFF\xC2"));
    ASSERT_LT(frame, whole.size());
    for (size_t at = 0; at < whole.size(); ++at) {
      if (at >= frame + 5 && at < frame + 9) continue;
      for (const int mask : {0x01, 0x80, 0xFF}) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ mask);
        const auto image = decode(damaged);
        if (image.ok()) {
          EXPECT_EQ(image->pixels.size(), size_t{3} * 75 * 53) << name << " at " << at;
        }
      }
    }
  }
}

// Of the standard tables no code is all ones (T.81, annex C).
TEST(JpegDecoder, CodesThatDoNotExistAreErrors) {
  std::string text = file_text("ycc_444.jpg");
  const size_t scan = text.find("\xFF\xDA");
  ASSERT_LT(scan, text.size());
  const size_t data = scan + 2 + 12;  // the header of three components
  std::string ones;
  while (ones.size() < 16) ones += std::string("\xFF\x00", 2);
  text.replace(data, ones.size(), ones);
  const auto image = decode(text);
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(image.status().message().find("uffman code"), std::string::npos)
      << image.status().message();
}

// A progressive file may repeat scans of a few bytes, each a pass over the whole picture.
TEST(JpegDecoder, FilesOfVeryManyScansAreRefused) {
  const std::string whole = file_text("progressive_420.jpg");
  const size_t last = whole.rfind("\xFF\xDA"), end = whole.size() - 2;
  ASSERT_LT(last, end);
  const std::string scan = whole.substr(last, end - last);
  std::string text = whole.substr(0, end);
  for (int i = 0; i < kMaxJpegScans; ++i) text += scan;
  const auto image = decode(text + "\xFF\xD9");
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.status().message().find("at most 100"), std::string::npos)
      << image.status().message();
}

TEST(JpegDecoder, HugePicturesAreRefusedBeforeDecoding) {
  std::string text = file_text("ycc_420.jpg");
  const size_t frame = text.find("\xFF\xC0");
  ASSERT_LT(frame, text.size());
  text.replace(frame + 5, 4, "\x42\x68\x4E\x20");  // 17000 x 20000
  const auto image = decode(text);
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.status().code(), StatusCode::kResourceExhausted) << image.status().message();
  EXPECT_NE(image.status().message().find("20000x17000"), std::string::npos);
}

}  // namespace
}  // namespace yolocu
