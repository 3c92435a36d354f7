#include "apps/image_io.h"

#include <zlib.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::TempDir;
using Colour = std::array<uint8_t, 3>;

constexpr Colour kRed = {255, 0, 0}, kGreen = {0, 255, 0}, kBlue = {0, 0, 255},
                 kWhite = {255, 255, 255};

Image solid(int64_t width, int64_t height, Colour colour) {
  Image image{{}, width, height};
  for (int64_t i = 0; i < width * height; ++i) {
    image.pixels.insert(image.pixels.end(), colour.begin(), colour.end());
  }
  return image;
}

Colour pixel(const Image& image, int64_t x, int64_t y) {
  const auto at = static_cast<size_t>((y * image.width + x) * 3);
  return {image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]};
}

// 48 x 32: red | green over blue | white.
Image quadrants() {
  Image image = solid(48, 32, kRed);
  for (int64_t y = 0; y < 32; ++y) {
    for (int64_t x = 0; x < 48; ++x) {
      const Colour c = y < 16 ? (x < 24 ? kRed : kGreen) : (x < 24 ? kBlue : kWhite);
      std::copy(c.begin(), c.end(), image.pixels.begin() + (y * 48 + x) * 3);
    }
  }
  return image;
}

// The pure colour that is nearest: JPEG changes values a little.
char letter(Colour c) {
  const bool red = c[0] > 127, green = c[1] > 127, blue = c[2] > 127;
  if (red && green && blue) return 'W';
  return red ? 'R' : green ? 'G' : blue ? 'B' : 'K';
}

// Letters of the four quadrants, from left to right, then from top to bottom.
std::string quadrant_letters(const Image& image) {
  const int64_t w = image.width, h = image.height;
  return {letter(pixel(image, w / 4, h / 4)), letter(pixel(image, w * 3 / 4, h / 4)),
          letter(pixel(image, w / 4, h * 3 / 4)), letter(pixel(image, w * 3 / 4, h * 3 / 4))};
}

enum class Endian { kLittle, kBig };

std::string number(uint32_t value, int size, Endian endian) {
  std::string text;
  for (int i = 0; i < size; ++i) {
    const int shift = 8 * (endian == Endian::kLittle ? i : size - 1 - i);
    text += static_cast<char>(value >> shift & 0xFF);
  }
  return text;
}

// A TIFF structure with one directory: another tag first, then the orientation.
std::string tiff(uint32_t orientation, Endian endian) {
  std::string text = endian == Endian::kLittle ? "II" : "MM";
  text += number(42, 2, endian) + number(8, 4, endian);
  text += number(2, 2, endian);
  text += number(0x010F, 2, endian) + number(2, 2, endian) + number(2, 4, endian) + "me  ";
  text += number(0x0112, 2, endian) + number(3, 2, endian) + number(1, 4, endian);
  text += number(orientation, 2, endian) + number(0, 2, endian);
  return text + number(0, 4, endian);
}

std::string app1(const std::string& payload) {
  return "\xFF\xE1" + number(static_cast<uint32_t>(payload.size()) + 2, 2, Endian::kBig) + payload;
}

std::string exif_segment(const std::string& tiff_text) {
  return app1(std::string("Exif\0\0", 6) + tiff_text);
}

std::string file_text(const std::string& path) {
  const auto bytes = testing::read_bytes(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<Image> decode(const std::string& text) {
  return decode_image(std::as_bytes(std::span(text)));
}

// JPEG of quadrants() with `segment` after its first marker.
std::string jpeg_with(const std::string& segment) {
  const TempDir folder;
  EXPECT_TRUE(write_image(folder.file("q.jpg"), quadrants()).ok());
  std::string text = file_text(folder.file("q.jpg"));
  return text.insert(2, segment);
}

TEST(ImageIo, PngRoundTripIsExact) {
  const TempDir folder;
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 7}, {5, 1}, {48, 32}, {101, 67}}) {
    Image image = solid(width, height, kRed);
    uint32_t state = 1;
    for (uint8_t& value : image.pixels) value = static_cast<uint8_t>((state *= 747796405u) >> 24);
    const std::string path = folder.file("image.PNG");
    ASSERT_OK(write_image(path, image));
    EXPECT_EQ(file_text(path).substr(1, 3), "PNG");
    const auto read = read_image(path);
    ASSERT_OK(read);
    EXPECT_EQ(read->width, width);
    EXPECT_EQ(read->height, height);
    EXPECT_EQ(read->pixels, image.pixels) << width << "x" << height;
  }
}

TEST(ImageIo, JpegKeepsColoursAndSize) {
  const auto image = decode(jpeg_with(""));
  ASSERT_OK(image);
  EXPECT_EQ(image->width, 48);
  EXPECT_EQ(image->height, 32);
  EXPECT_EQ(quadrant_letters(*image), "RGBW");
  for (const auto& [x, y, c] : {std::tuple{4, 4, kRed}, {40, 4, kGreen}, {4, 28, kBlue}}) {
    for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(pixel(*image, x, y)[i], c[i], 6);
  }
}

// What stands where after turning, from the EXIF definition of each value.
TEST(ImageIo, AppliesEveryExifOrientationInBothByteOrders) {
  const std::array<std::string, 8> expected = {"RGBW", "GRWB", "WBGR", "BWRG",
                                               "RBGW", "BRWG", "WGBR", "GWRB"};
  for (uint32_t value = 1; value <= 8; ++value) {
    for (const Endian endian : {Endian::kLittle, Endian::kBig}) {
      const auto image = decode(jpeg_with(exif_segment(tiff(value, endian))));
      ASSERT_OK(image);
      EXPECT_EQ(quadrant_letters(*image), expected[value - 1]) << "orientation " << value;
      EXPECT_EQ(image->width, value < 5 ? 48 : 32);
      EXPECT_EQ(image->height, value < 5 ? 32 : 48);
    }
  }
}

TEST(ImageIo, OrientedMovesSinglePixels) {
  const Image stored{{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6}, 3, 2};  // 123 / 456
  const auto values = [&](Orientation orientation) {
    const Image upright = oriented(stored, orientation);
    std::string text;
    for (size_t i = 0; i < upright.pixels.size(); i += 3) {
      text += static_cast<char>('0' + upright.pixels[i]);
    }
    return text;
  };
  EXPECT_EQ(values(Orientation::kUpright), "123456");
  EXPECT_EQ(values(Orientation::kFlipHorizontal), "321654");
  EXPECT_EQ(values(Orientation::kRotate180), "654321");
  EXPECT_EQ(values(Orientation::kFlipVertical), "456123");
  EXPECT_EQ(values(Orientation::kTranspose), "142536");
  EXPECT_EQ(values(Orientation::kRotate90), "415263");
  EXPECT_EQ(values(Orientation::kTransverse), "635241");
  EXPECT_EQ(values(Orientation::kRotate270), "362514");
}

TEST(ImageIo, DamagedExifIsIgnored) {
  const std::string good = tiff(6, Endian::kLittle);
  std::string far_directory = good, many_entries = good;
  far_directory.replace(4, 4, "\xF0\xFF\xFF\xFF");
  many_entries.replace(8, 2, "\xFF\xFF");
  many_entries.replace(22, 2, "\x00\x01");  // no orientation among them
  std::vector<std::string> segments = {
      exif_segment(tiff(0, Endian::kBig)), exif_segment(tiff(9, Endian::kBig)),
      exif_segment(far_directory),         exif_segment(many_entries),
      app1("http://ns.adobe.com/xap"),     app1(""),
      exif_segment("XX" + good.substr(2)),
  };
  for (size_t size = 0; size < 32; ++size) segments.push_back(exif_segment(good.substr(0, size)));
  for (const std::string& segment : segments) {
    const auto image = decode(jpeg_with(segment));
    ASSERT_OK(image);
    EXPECT_EQ(quadrant_letters(*image), "RGBW") << ::testing::PrintToString(segment);
  }
  // XMP in front of EXIF, and fill bytes, hide nothing.
  const auto image =
      decode(jpeg_with(app1("http://ns.adobe.com/xap") + "\xFF\xFF" + exif_segment(good)));
  ASSERT_OK(image);
  EXPECT_EQ(quadrant_letters(*image), "BRWG");
}

TEST(ImageIo, RefusesHuffmanTablesThatCannotBe) {
  const std::string counts(16, '\x20');  // 512 codes
  const std::string table = '\0' + counts + std::string(512, 'x');
  const auto length = static_cast<uint32_t>(table.size());
  const std::string whole = "\xFF\xC4" + number(length + 2, 2, Endian::kBig) + table;
  const std::string cut = "\xFF\xC4" + number(2 + 10, 2, Endian::kBig) + table.substr(0, 10);
  for (const std::string& segment : {whole, cut}) {
    const auto image = decode(jpeg_with(segment));
    ASSERT_FALSE(image.ok());
    EXPECT_NE(image.status().message().find("Huffman"), std::string::npos);
  }
}

TEST(ImageIo, ErrorsNameTheFile) {
  const TempDir folder;
  const auto absent = read_image(folder.file("absent.jpg"));
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.status().code(), StatusCode::kNotFound);
  for (const std::string& content : {std::string(), std::string("hello"), std::string("\xFF\xD8"),
                                     std::string("\x89PNG\r\n\x1A\n")}) {
    const std::string path = folder.file("bad.jpg");
    testing::write_bytes(path, std::as_bytes(std::span(content)));
    const auto image = read_image(path);
    ASSERT_FALSE(image.ok());
    EXPECT_EQ(image.status().message().rfind(path + ": not a picture", 0), 0u)
        << image.status().message();
  }
}

TEST(ImageIo, HugePicturesAreRefusedBeforeDecoding) {
  // A PNG header that promises 20000 x 17000 pixels; its check sum is not looked at.
  std::string text("\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR", 16);
  text += number(20000, 4, Endian::kBig) + number(17000, 4, Endian::kBig);
  text += std::string("\x08\x02\0\0\0\0\0\0\0", 9);
  const auto image = decode(text);
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.status().code(), StatusCode::kResourceExhausted) << image.status().message();
}

TEST(ImageIo, PicturesThatNoFileCanHoldAreRefused) {
  const TempDir folder;
  EXPECT_EQ(write_image(folder.file("a.jpg"), Image{}).code(), StatusCode::kInvalidArgument);
  const Image wide = solid(65536, 1, kRed);
  EXPECT_EQ(write_image(folder.file("a.jpg"), wide).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(testing::file_exists(folder.file("a.jpg")));
  EXPECT_TRUE(write_image(folder.file("a.png"), wide).ok());
  EXPECT_FALSE(write_image(folder.file("no/such/folder.png"), wide).ok());
}

double mean_difference(const Image& a, const Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

// The same photograph stored in several orientations must look the same.
TEST(ImageIo, PhotographsStoredTurnedLookTheSame) {
  YOLOCU_REQUIRE_SHARED("odd_images/exif_orientation");
  const std::string folder = testing::shared_dir() + "/odd_images/exif_orientation/";
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"Landscape_1", "Landscape_3", "Landscape_8"},
        std::vector<std::string>{"Portrait_2", "Portrait_6", "Portrait_7"}}) {
    const auto first = read_image(folder + names[0] + ".jpg");
    ASSERT_OK(first);
    for (const std::string& name : names) {
      const auto other = read_image(folder + name + ".jpg");
      ASSERT_OK(other);
      ASSERT_EQ(other->width, first->width) << name;
      ASSERT_EQ(other->height, first->height) << name;
      EXPECT_LT(mean_difference(*first, *other), 4) << name;
    }
  }
}

// Sizes as another decoder sees them. Files it cannot read need only not crash this one.
TEST(ImageIo, OddPictures) {
  YOLOCU_REQUIRE_SHARED("odd_images/expect.tsv");
  const std::string folder = testing::shared_dir() + "/odd_images/";
  // Damaged or rare files that the other decoder forgives, and one of ours.
  const std::set<std::string> refused = {
      "gif/imgrs_oob.gif", "gif/pillow_iss634.gif", "gif/pillow_no_palette.gif",
      "jpeg/jd_partial_progressive.jpg", "jpeg/pillow_jpeg_ff00_header.jpg"};
  std::ifstream table(folder + "expect.tsv");
  std::string line;
  int checked = 0;
  while (std::getline(table, line)) {
    std::vector<std::string> fields;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');) fields.push_back(cell);
    if (fields.size() < 11 || fields[0] == "file") continue;
    const auto image = read_image(folder + fields[0]);
    if (fields[10] != "ok" || refused.contains(fields[0])) continue;
    ASSERT_OK(image);
    const bool turned =
        fields[0].find(".jpg") != std::string::npos && std::atoi(fields[7].c_str()) > 4;
    EXPECT_EQ(std::to_string(image->width), fields[turned ? 5 : 4]) << fields[0];
    EXPECT_EQ(std::to_string(image->height), fields[turned ? 4 : 5]) << fields[0];
    ++checked;
  }
  EXPECT_GT(checked, 50);
}

std::string big_endian(uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}

std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto* bytes = reinterpret_cast<const Bytef*>(body.data());
  const uLong crc = crc32(0, bytes, static_cast<uInt>(body.size()));
  return big_endian(static_cast<uint32_t>(data.size())) + body +
         big_endian(static_cast<uint32_t>(crc));
}

// A picture of one pixel whose compressed data grows to `size` bytes.
std::string inflating_png(size_t size) {
  const std::string zeros(size, '\0');
  std::string packed(compressBound(size), '\0');
  uLongf length = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &length,
           reinterpret_cast<const Bytef*>(zeros.data()), zeros.size());
  packed.resize(length);
  const std::string header = big_endian(1) + big_endian(1) + std::string("\x08\x00\0\0\0", 5);
  return "\x89PNG\r\n\x1A\n" + png_chunk("IHDR", header) + png_chunk("IDAT", packed) +
         png_chunk("IEND", "");
}

TEST(ImageIo, MemoryIsBoundedByThePictureNotByItsCompressedData) {
  const std::string honest = inflating_png(2), bomb = inflating_png(size_t{200} << 20);
  EXPECT_TRUE(decode_image(std::as_bytes(std::span(honest))).ok());
  EXPECT_FALSE(decode_image(std::as_bytes(std::span(bomb))).ok());
}

}  // namespace
}  // namespace yolocu
