#include "kernels/pixel_tile.h"

#include <algorithm>
#include <bit>

namespace yolocu {

LaunchConfig pixel_tile(int64_t pixels, int64_t channels, int64_t vector_elements, Stream stream) {
  constexpr int64_t kWarp = 32;
  constexpr int64_t kMostBlocks = INT32_MAX;
  const int64_t vectors = (channels + vector_elements - 1) / vector_elements;
  const int64_t lanes =
      std::min(kWarp, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(vectors))));
  const int64_t rows = kPixelTileThreads / lanes;
  return {.grid = {std::min(kMostBlocks, (pixels + rows - 1) / rows)},
          .block = {lanes, rows},
          .start = StartRule::kOverlapPrevious,
          .stream = stream};
}

}  // namespace yolocu
