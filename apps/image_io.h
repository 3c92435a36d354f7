// Pictures from and to files.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "apps/exif.h"
#include "apps/image.h"
#include "yolocu/status.h"

namespace yolocu {

// A JPEG, PNG, BMP or GIF file (its first frame) as cv2.imread(IMREAD_COLOR) shows it, but in
// RGB order: EXIF orientation applied, alpha dropped, grey repeated, 16 bits cut to the upper 8.
// Errors start with the path. kNotFound, kUnavailable: the file; kCorrupt: no such picture, or
// damaged; kResourceExhausted: over kMaxImagePixels, refused before any pixel is decoded.
Result<Image> read_image(const std::string& path);

// The same for a file in memory; messages name no path.
Result<Image> decode_image(std::span<const std::byte> file);

// The stored picture turned upright.
Image oriented(Image stored, Orientation orientation);

// Writes PNG if the path ends in ".png" (any case), else JPEG of quality 92, by the rules of
// write_file (file_io.h). kInvalidArgument for an empty picture or one too large for the format.
Status write_image(const std::string& path, const Image& image);

}  // namespace yolocu
