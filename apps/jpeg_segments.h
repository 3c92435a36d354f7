// The segments of a JPEG file, found without decoding it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "yolocu/status.h"

namespace yolocu {

// A marker and the bytes of its segment, the two length bytes left out.
struct JpegSegment {
  uint8_t marker = 0;  // second byte of the marker: 0xE1 for APP1
  std::span<const std::byte> payload;
};

constexpr uint8_t kJpegHuffmanTables = 0xC4, kJpegStartOfScan = 0xDA, kJpegApp1 = 0xE1;

// All segments that have a length up to the end of the picture, in order, those between the scans
// of a progressive file too. Bytes that belong to none are skipped, as decoders do. A last segment
// that is cut off has the bytes there are. Empty for a file that is no JPEG. Source: ITU-T T.81,
// annex B.
std::vector<JpegSegment> jpeg_segments(std::span<const std::byte> file);

// What no decoder should be given. kCorrupt if a Huffman table is cut off or claims more than 256
// codes: the stb_image of Debian 12 would write such a table past the end of its own. kCorrupt if
// there are more than kMaxJpegScans scans: each one may be a few bytes that cost a pass over all
// coefficients of a large picture.
Status check_jpeg_segments(std::span<const JpegSegment> segments);

// Encoders write about ten scans.
constexpr int kMaxJpegScans = 100;

}  // namespace yolocu
