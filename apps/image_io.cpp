#include "apps/image_io.h"

#include <stb_image_write.h>

#include <algorithm>
#include <cctype>

#include "apps/jpeg_segments.h"
#include "apps/picture_decoders.h"
#include "engine/base/str_cat.h"
#include "weights/format/file_io.h"

namespace yolocu {
namespace {

constexpr int kChannels = 3;
constexpr int kJpegQuality = 92;           // from 91 on stb keeps the chroma at full resolution
constexpr int64_t kMaxJpegExtent = 65535;  // 16-bit fields

enum class Format : uint8_t { kPng, kJpeg };

// The error of a decoder; a limit that is exceeded says enough by itself.
Status not_decodable(const Status& reason) {
  if (reason.code() != StatusCode::kCorrupt) return reason;
  return corrupt("not a picture this program can read (JPEG, PNG, BMP, GIF): " + reason.message());
}

Format format_of(const std::string& path) {
  constexpr std::string_view kPng = ".png";
  const bool png = path.size() >= kPng.size() &&
                   std::equal(kPng.rbegin(), kPng.rend(), path.rbegin(), [](char a, char b) {
                     return a == std::tolower(static_cast<unsigned char>(b));
                   });
  return png ? Format::kPng : Format::kJpeg;
}

// stbi_write_func: `context` is the std::string that collects the file.
void append_to_string(void* context, void* data, int size) {
  static_cast<std::string*>(context)->append(static_cast<const char*>(data),
                                             static_cast<size_t>(size));
}

Result<std::string> encode(const Image& image, Format format) {
  const auto width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  std::string bytes;
  const int ok = format == Format::kPng
                     ? stbi_write_png_to_func(append_to_string, &bytes, width, height, kChannels,
                                              image.pixels.data(), width * kChannels)
                     : stbi_write_jpg_to_func(append_to_string, &bytes, width, height, kChannels,
                                              image.pixels.data(), kJpegQuality);
  if (ok == 0) return resource_exhausted("the picture cannot be encoded");
  return bytes;
}

}  // namespace

Image oriented(Image stored, Orientation orientation) {
  if (orientation == Orientation::kUpright) return stored;
  const auto is_one_of = [&](auto... values) { return ((orientation == values) || ...); };
  using enum Orientation;
  const bool swap_axes = is_one_of(kTranspose, kRotate90, kTransverse, kRotate270);
  const bool from_right = is_one_of(kFlipHorizontal, kRotate180, kTransverse, kRotate270);
  const bool from_bottom = is_one_of(kRotate180, kFlipVertical, kRotate90, kTransverse);

  // Walk the stored picture from one of its corners, along rows or along columns.
  const int64_t row = stored.width * kChannels;
  const uint8_t* corner = stored.pixels.data() + (from_right ? row - kChannels : 0) +
                          (from_bottom ? (stored.height - 1) * row : 0);
  const int64_t along_row = from_right ? -kChannels : kChannels;
  const int64_t along_column = from_bottom ? -row : row;
  const int64_t step_x = swap_axes ? along_column : along_row;
  const int64_t step_y = swap_axes ? along_row : along_column;

  Image upright;
  upright.width = swap_axes ? stored.height : stored.width;
  upright.height = swap_axes ? stored.width : stored.height;
  upright.pixels.resize(stored.pixels.size());
  uint8_t* out = upright.pixels.data();
  for (int64_t y = 0; y < upright.height; ++y) {
    for (int64_t x = 0; x < upright.width; ++x, out += kChannels) {
      std::copy_n(corner + y * step_y + x * step_x, kChannels, out);
    }
  }
  return upright;
}

Result<Image> decode_image(std::span<const std::byte> file) {
  if (file.empty()) return not_decodable(corrupt("empty file"));
  const std::vector<JpegSegment> segments = jpeg_segments(file);
  if (const Status status = check_jpeg_segments(segments); !status.ok()) {
    return not_decodable(status);
  }
  Result<Image> stored = segments.empty() ? decode_with_stb(file) : decode_jpeg(file);
  if (!stored.ok()) return not_decodable(stored.status());
  return oriented(std::move(*stored), exif_orientation(segments));
}

Result<Image> read_image(const std::string& path) {
  YOLOCU_ASSIGN_OR_RETURN(const MappedFile file, map_file(path));
  Result<Image> image = decode_image(file.bytes());
  if (!image.ok()) return image.status().with_context(path);
  return image;
}

Status write_image(const std::string& path, const Image& image) {
  const Format format = format_of(path);
  const bool png = format == Format::kPng;
  const bool too_large = png ? image.width * image.height > kMaxImagePixels
                             : std::max(image.width, image.height) > kMaxJpegExtent;
  if (image.width <= 0 || image.height <= 0 || too_large) {
    return invalid_argument(str_cat(path, ": a picture of ", image.width, "x", image.height,
                                    " cannot be written as ", png ? "PNG" : "JPEG"));
  }
  const Result<std::string> bytes = encode(image, format);
  if (!bytes.ok()) return bytes.status().with_context(path);
  return write_file(path, std::as_bytes(std::span(*bytes)));
}

}  // namespace yolocu
