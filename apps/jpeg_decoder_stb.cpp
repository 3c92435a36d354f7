// decode_jpeg of a build without libjpeg-turbo.
#include "apps/picture_decoders.h"

namespace yolocu {

// stb knows no reductions.
Result<StoredPicture> decode_jpeg(std::span<const std::byte> file,
                                  const std::optional<NetworkSize>&) {
  return whole_picture(decode_with_stb(file));
}

std::string jpeg_decoder_name() {
  return "stb_image";
}

}  // namespace yolocu
