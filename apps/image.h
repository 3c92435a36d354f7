// A picture in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "yolocu/detector.h"

namespace yolocu {

// 8-bit RGB [height, width, 3], dense, top row first. Owns its pixels.
struct Image {
  std::vector<uint8_t> pixels;
  int64_t width = 0;
  int64_t height = 0;

  ImageView view() const { return {pixels.data(), width, height, width * 3}; }
};

constexpr int64_t kMaxImagePixels = int64_t{1} << 28;

}  // namespace yolocu
