#include "apps/picture_decoders.h"

#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu {

Result<StoredPicture> whole_picture(Result<Image> image) {
  if (!image.ok()) return image.status();
  const int64_t width = image->width, height = image->height;
  return StoredPicture{std::move(*image), width, height};
}

Status check_picture_size(int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) return corrupt(str_cat("size ", width, "x", height));
  if (width > kMaxImagePixels / height) {
    return resource_exhausted(str_cat("picture of ", width, "x", height, " pixels, at most ",
                                      kMaxImagePixels, " are read"));
  }
  return {};
}

size_t max_decoder_bytes(int64_t pixels) {
  return (size_t{64} << 20) + 16 * static_cast<size_t>(pixels);
}

}  // namespace yolocu
