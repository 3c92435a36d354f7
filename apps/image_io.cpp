#include "apps/image_io.h"

#include <stb_image_write.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "apps/jpeg_segments.h"
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

// How the stored picture is walked through so that it comes out upright.
struct Walk {
  bool swap_axes;                // rows become columns
  bool from_right, from_bottom;  // where the stored picture's walk begins
};

Walk walk_of(Orientation orientation) {
  const auto is_one_of = [&](auto... values) { return ((orientation == values) || ...); };
  using enum Orientation;
  return {is_one_of(kTranspose, kRotate90, kTransverse, kRotate270),
          is_one_of(kFlipHorizontal, kRotate180, kTransverse, kRotate270),
          is_one_of(kRotate180, kFlipVertical, kRotate90, kTransverse)};
}

// The last pixel of a reduced row or column may stand for pixels that are not there. Where the
// stored picture ends on the left or at the top of the upright one, they lie outside of it.
ReducedImage upright(StoredPicture stored, Orientation orientation) {
  const Walk walk = walk_of(orientation);
  const int64_t right = stored.width - stored.reduction * stored.image.width;
  const int64_t bottom = stored.height - stored.reduction * stored.image.height;
  ReducedImage reduced{oriented(std::move(stored.image), orientation),
                       stored.width,
                       stored.height,
                       stored.reduction,
                       walk.from_right ? right : 0,
                       walk.from_bottom ? bottom : 0};
  if (walk.swap_axes) {
    std::swap(reduced.width, reduced.height);
    std::swap(reduced.left, reduced.top);
  }
  return reduced;
}

}  // namespace

Image oriented(Image stored, Orientation orientation) {
  if (orientation == Orientation::kUpright) return stored;
  const auto [swap_axes, from_right, from_bottom] = walk_of(orientation);

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

Result<ReducedImage> decode_reduced_image(std::span<const std::byte> file,
                                          std::optional<NetworkSize> network) {
  if (file.empty()) return not_decodable(corrupt("empty file"));
  const std::vector<JpegSegment> segments = jpeg_segments(file);
  if (const Status status = check_jpeg_segments(segments); !status.ok()) {
    return not_decodable(status);
  }
  const Orientation orientation = exif_orientation(segments);
  if (network && walk_of(orientation).swap_axes) std::swap(network->width, network->height);
  Result<StoredPicture> stored =
      segments.empty() ? whole_picture(decode_with_stb(file)) : decode_jpeg(file, network);
  if (!stored.ok()) return not_decodable(stored.status());
  return upright(std::move(*stored), orientation);
}

Result<Image> decode_image(std::span<const std::byte> file) {
  YOLOCU_ASSIGN_OR_RETURN(ReducedImage whole_image, decode_reduced_image(file, std::nullopt));
  return std::move(whole_image.image);
}

Result<ReducedImage> read_reduced_image(const std::string& path,
                                        const std::optional<NetworkSize>& network) {
  YOLOCU_ASSIGN_OR_RETURN(const MappedFile file, map_file(path));
  Result<ReducedImage> image = decode_reduced_image(file.bytes(), network);
  if (!image.ok()) return image.status().with_context(path);
  return image;
}

Result<Image> read_image(const std::string& path) {
  YOLOCU_ASSIGN_OR_RETURN(ReducedImage whole_image, read_reduced_image(path, std::nullopt));
  return std::move(whole_image.image);
}

Detection in_whole_picture(const ReducedImage& reduced, const Detection& d) {
  const auto unscaled = [&](float value, int64_t offset, int64_t limit) {
    const auto scaled = static_cast<float>(reduced.reduction) * value + static_cast<float>(offset);
    return std::clamp(scaled, 0.0f, static_cast<float>(limit));
  };
  Detection whole = d;
  whole.x1 = unscaled(d.x1, reduced.left, reduced.width);
  whole.y1 = unscaled(d.y1, reduced.top, reduced.height);
  whole.x2 = unscaled(d.x2, reduced.left, reduced.width);
  whole.y2 = unscaled(d.y2, reduced.top, reduced.height);
  return whole;
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
