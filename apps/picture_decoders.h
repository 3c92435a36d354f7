// One picture file to pixels, as they are stored. image_io.h is what the commands use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "apps/image.h"
#include "yolocu/status.h"

namespace yolocu {

// A JPEG, PNG, BMP or GIF file (its first frame) by stb_image: alpha dropped, grey repeated, 16
// bits cut to the upper 8. Up to 2 GiB. kCorrupt with stb's reason; kResourceExhausted as of
// check_picture_size.
Result<Image> decode_with_stb(std::span<const std::byte> file);

// Pixels of a network's input, 1 or more.
struct NetworkSize {
  int64_t width = 0, height = 0;
};

// A picture that may have been decoded smaller than it is.
struct StoredPicture {
  Image image;  // ceil(width / reduction) x ceil(height / reduction)
  int64_t width = 0, height = 0;
  int64_t reduction = 1;  // pixels of the picture, in each direction, that became one: 1, 2, 4 or 8
};

// A JPEG file by the decoder that the build found: libjpeg-turbo, whose pixels are those of
// cv2.imread bit for bit, or else stb_image. A file that is cut off or whose codes are damaged is
// kCorrupt with the decoder's reason; kResourceExhausted as of check_picture_size.
// With a `network`, libjpeg-turbo transforms fewer frequencies: by the largest reduction whose
// picture a letterbox to that size need not enlarge.
Result<StoredPicture> decode_jpeg(std::span<const std::byte> file,
                                  const std::optional<NetworkSize>& network);

// An image that was not reduced, or the error.
Result<StoredPicture> whole_picture(Result<Image> image);

// "libjpeg-turbo 2.1.5" or "stb_image".
std::string jpeg_decoder_name();

// kCorrupt for an empty picture, kResourceExhausted for one of more than kMaxImagePixels.
Status check_picture_size(int64_t width, int64_t height);

// What decoding a picture of `pixels` pixels may take, in bytes: 16-bit RGBA is 8 bytes a pixel, as
// are the coefficients of a progressive CMYK file, and stb doubles a buffer that is full. Tables
// and padding of small pictures on top.
size_t max_decoder_bytes(int64_t pixels);

}  // namespace yolocu
