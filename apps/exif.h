// How a camera was held: the orientation that a JPEG file's EXIF block records.
#pragma once

#include <cstdint>
#include <span>

#include "apps/jpeg_segments.h"

namespace yolocu {

// Values of TIFF tag 0x0112, named by what shows the stored picture upright.
enum class Orientation : uint8_t {
  kUpright = 1,
  kFlipHorizontal = 2,
  kRotate180 = 3,
  kFlipVertical = 4,
  kTranspose = 5,   // mirror along the diagonal from top left to bottom right
  kRotate90 = 6,    // clockwise
  kTransverse = 7,  // mirror along the other diagonal
  kRotate270 = 8,   // clockwise
};

// Orientation of a JPEG file: tag 0x0112 in the first directory of the first EXIF block (APP1)
// before its pixels. kUpright for damaged or absent blocks and values outside 1..8, as cv2.imread
// does. Reads nothing outside the segments. Source: EXIF 2.32, 4.5.4 and 4.6.4; TIFF 6.0,
// section 2.
Orientation exif_orientation(std::span<const JpegSegment> segments);

}  // namespace yolocu
