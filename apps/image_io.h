// Pictures from and to files.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "apps/exif.h"
#include "apps/image.h"
#include "apps/picture_decoders.h"
#include "yolocu/status.h"

namespace yolocu {

// A JPEG, PNG, BMP or GIF file (its first frame) as cv2.imread(IMREAD_COLOR) shows it, but in
// RGB order: EXIF orientation applied, alpha dropped, grey repeated, 16 bits cut to the upper 8.
// Errors start with the path. kNotFound, kUnavailable: the file; kCorrupt: no such picture, or
// damaged; kResourceExhausted: over kMaxImagePixels, refused before any pixel is decoded.
Result<Image> read_image(const std::string& path);

// The same for a file in memory; messages name no path.
Result<Image> decode_image(std::span<const std::byte> file);

// A picture decoded at 1 / reduction of its size, turned upright. Its pixel edge x lies at
// left + reduction * x of the whole picture, and y alike.
struct ReducedImage {
  Image image;
  int64_t width = 0, height = 0;  // of the whole picture
  int64_t reduction = 1;
  int64_t left = 0, top = 0;  // 0 or less
};

// As read_image, but a JPEG file that is large for the network is reduced (decode_jpeg); its pixels
// are then means of those of read_image, nearly. Other files, and those of a build without
// libjpeg-turbo, are decoded whole, as are all without a `network`.
Result<ReducedImage> read_reduced_image(const std::string& path,
                                        const std::optional<NetworkSize>& network);

// The same for a file in memory; messages name no path.
Result<ReducedImage> decode_reduced_image(std::span<const std::byte> file,
                                          std::optional<NetworkSize> network);

// What was found in `reduced.image`, in pixels of the whole picture, clipped to it.
Detection in_whole_picture(const ReducedImage& reduced, const Detection& d);

// The stored picture turned upright.
Image oriented(Image stored, Orientation orientation);

// Writes PNG if the path ends in ".png" (any case), else JPEG of quality 92, by the rules of
// write_file (file_io.h). kInvalidArgument for an empty picture or one too large for the format.
Status write_image(const std::string& path, const Image& image);

}  // namespace yolocu
