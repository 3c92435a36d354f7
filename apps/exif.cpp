#include "apps/exif.h"

#include <algorithm>
#include <array>
#include <optional>

namespace yolocu {
namespace {

using Bytes = std::span<const std::byte>;

enum class ByteOrder : uint8_t { kLittleEndian, kBigEndian };

// `size` bytes at `offset` as an unsigned integer; nullopt if they are not all there.
std::optional<uint32_t> read_unsigned(Bytes bytes, size_t offset, size_t size, ByteOrder order) {
  if (offset > bytes.size() || size > bytes.size() - offset) return std::nullopt;
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    const size_t at = order == ByteOrder::kBigEndian ? i : size - 1 - i;
    value = value << 8 | std::to_integer<uint32_t>(bytes[offset + at]);
  }
  return value;
}

bool starts_with(Bytes bytes, std::span<const uint8_t> prefix) {
  return bytes.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), bytes.begin(),
                    [](uint8_t a, std::byte b) { return std::byte{a} == b; });
}

// The TIFF structure inside the first EXIF segment in front of the pixels; empty if none.
Bytes find_exif(std::span<const JpegSegment> segments) {
  constexpr std::array<uint8_t, 6> kExif = {'E', 'x', 'i', 'f', 0, 0};
  for (const JpegSegment& segment : segments) {
    if (segment.marker == kJpegStartOfScan) break;
    if (segment.marker == kJpegApp1 && starts_with(segment.payload, kExif)) {
      return segment.payload.subspan(kExif.size());
    }
  }
  return {};
}

std::optional<ByteOrder> tiff_byte_order(Bytes tiff) {
  constexpr std::array<uint8_t, 4> kLittle = {'I', 'I', 42, 0};
  constexpr std::array<uint8_t, 4> kBig = {'M', 'M', 0, 42};
  if (starts_with(tiff, kLittle)) return ByteOrder::kLittleEndian;
  if (starts_with(tiff, kBig)) return ByteOrder::kBigEndian;
  return std::nullopt;
}

}  // namespace

Orientation exif_orientation(std::span<const JpegSegment> segments) {
  constexpr uint32_t kOrientationTag = 0x0112;
  constexpr size_t kEntryBytes = 12, kValueOffset = 8;
  const Bytes tiff = find_exif(segments);
  const auto order = tiff_byte_order(tiff);
  if (!order) return Orientation::kUpright;
  const auto directory = read_unsigned(tiff, 4, 4, *order);
  const auto count = directory ? read_unsigned(tiff, *directory, 2, *order) : std::nullopt;
  for (size_t i = 0; count && i < *count; ++i) {
    const size_t entry = size_t{*directory} + 2 + i * kEntryBytes;
    const auto tag = read_unsigned(tiff, entry, 2, *order);
    const auto value = read_unsigned(tiff, entry + kValueOffset, 2, *order);
    if (!tag || !value) break;
    if (*tag != kOrientationTag) continue;
    return *value >= 1 && *value <= 8 ? static_cast<Orientation>(*value) : Orientation::kUpright;
  }
  return Orientation::kUpright;
}

}  // namespace yolocu
