// decode_jpeg of a build without libjpeg-turbo.
#include "apps/picture_decoders.h"

namespace yolocu {

Result<Image> decode_jpeg(std::span<const std::byte> file) {
  return decode_with_stb(file);
}

std::string jpeg_decoder_name() {
  return "stb_image";
}

}  // namespace yolocu
