#include "apps/jpeg_segments.h"

#include <algorithm>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr uint8_t kStartOfImage = 0xD8, kEndOfImage = 0xD9;

bool is_marker(uint8_t code) {
  return code != 0x00 && code != 0xFF;
}

// Markers without a segment: restarts, start of the picture and TEM.
bool stands_alone(uint8_t marker) {
  return (marker >= 0xD0 && marker <= kStartOfImage) || marker == 0x01;
}

// The tables of one segment.
Status check_huffman_tables(std::span<const std::byte> rest) {
  constexpr size_t kHeaderBytes = 17;  // table number, then the count of codes of 1..16 bits
  constexpr size_t kMaxCodes = 256;
  while (!rest.empty()) {
    if (rest.size() < kHeaderBytes) return corrupt("cut off Huffman table");
    size_t codes = 0;
    for (size_t i = 1; i < kHeaderBytes; ++i) codes += std::to_integer<size_t>(rest[i]);
    if (codes > kMaxCodes) return corrupt(str_cat("Huffman table of ", codes, " codes"));
    if (codes > rest.size() - kHeaderBytes) return corrupt("cut off Huffman table");
    rest = rest.subspan(kHeaderBytes + codes);
  }
  return {};
}

}  // namespace

std::vector<JpegSegment> jpeg_segments(std::span<const std::byte> file) {
  std::vector<JpegSegment> segments;
  const auto byte_at = [&](size_t i) { return std::to_integer<uint8_t>(file[i]); };
  if (file.size() < 2 || byte_at(0) != 0xFF || byte_at(1) != kStartOfImage) return segments;
  size_t at = 2;
  while (at + 4 <= file.size()) {
    const uint8_t marker = byte_at(at + 1);
    if (byte_at(at) != 0xFF || !is_marker(marker)) {
      ++at;  // coded pixels, fill bytes or garbage
      continue;
    }
    if (marker == kEndOfImage) break;
    at += 2;
    if (stands_alone(marker)) continue;
    const size_t length = size_t{byte_at(at)} << 8 | byte_at(at + 1);  // counts itself
    const size_t end = std::min(at + std::max<size_t>(length, 2), file.size());
    segments.push_back({marker, file.subspan(at + 2, end - at - 2)});
    at = end;
  }
  return segments;
}

Status check_jpeg_segments(std::span<const JpegSegment> segments) {
  int scans = 0;
  for (const JpegSegment& segment : segments) {
    if (segment.marker == kJpegHuffmanTables) {
      YOLOCU_RETURN_IF_ERROR(check_huffman_tables(segment.payload));
    }
    if (segment.marker == kJpegStartOfScan) ++scans;
  }
  if (scans > kMaxJpegScans) {
    return corrupt(str_cat(scans, " scans, at most ", kMaxJpegScans, " are read"));
  }
  return {};
}

}  // namespace yolocu
