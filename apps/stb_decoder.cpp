#include <stb_image.h>

#include <limits>
#include <memory>
#include <string_view>

#include "apps/picture_decoders.h"
#include "apps/stb_limits.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr int kChannels = 3;

Status stb_error() {
  const char* reason = stbi_failure_reason();
  if (reason == nullptr || *reason == '\0') return corrupt("damaged file");
  // What stb says when no format recognises the file.
  const bool unknown = std::string_view(reason) == "unknown image type";
  return corrupt(unknown ? "unknown format, damaged or too large" : reason);
}

}  // namespace

Result<Image> decode_with_stb(std::span<const std::byte> file) {
  if (file.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return resource_exhausted(
        str_cat("picture files may have up to 2 GiB, this one has ", file.size(), " bytes"));
  }
  const auto* data = reinterpret_cast<const stbi_uc*>(file.data());
  const auto size = static_cast<int>(file.size());
  int width = 0, height = 0, stored_channels = 0;
  limit_stb_allocations(max_decoder_bytes(0));
  if (stbi_info_from_memory(data, size, &width, &height, &stored_channels) == 0) {
    return stb_error();
  }
  YOLOCU_RETURN_IF_ERROR(check_picture_size(width, height));
  limit_stb_allocations(max_decoder_bytes(int64_t{width} * height));
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(data, size, &width, &height, &stored_channels, kChannels),
      stbi_image_free);
  if (pixels == nullptr) return stb_error();
  Image image;
  image.width = width;
  image.height = height;
  image.pixels.assign(pixels.get(), pixels.get() + int64_t{width} * height * kChannels);
  return image;
}

}  // namespace yolocu
