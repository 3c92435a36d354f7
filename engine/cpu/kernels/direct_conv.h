// Convolution of any window and stride by register tiles that walk the window in place: no im2col.
// Only tiles that reach over the picture's edge are copied, with the padding around them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "engine/cpu/kernels/conv_task.h"
#include "engine/cpu/kernels/epilogue.h"
#include "engine/cpu/kernels/register_tile.h"

namespace yolocu::cpu {

inline constexpr int64_t kMaxTaps = 64;  // of a window; larger ones are left to plain_conv()

// Outputs [q, q + pixels) of row p.
struct DirectTile {
  int64_t p = 0, q = 0, pixels = 0;
};

template <typename Set, typename E, typename Out, SourceLayout kLayout, int kStride>
class DirectConv {
 public:
  using Accumulator = typename E::Accumulator;
  static constexpr int kLanes = Set::kLanes;
  static constexpr int kPixels = kTilePixels<Set>;
  static constexpr bool kIsPicture = kLayout == SourceLayout::kPicture;
  // Elements from one pixel of the source to the next.
  static constexpr int kPitch = kIsPicture ? 3 : kLanes;
  // In a picture the taps of a row of the (3 x 3) window are one run of 9 channels.
  static constexpr int kSteps = kIsPicture ? 9 : kLanes / E::kPack;

  DirectConv(const ConvTask& task, std::byte* scratch)
      : task_(task),
        shape_(task.shape),
        staged_(reinterpret_cast<typename E::Source*>(scratch)),
        row_tiles_(tiles_a_row(shape_.out_width, kPixels)),
        blocks_in_(kIsPicture ? 1 : shape_.in_channels / shape_.groups / kLanes) {}

  void run_chunk(int64_t chunk) {
    const int64_t tile_chunk = chunk % task_.tile_chunks;
    const int64_t panel_chunk = chunk / task_.tile_chunks;
    const int64_t first_tile = tile_chunk * task_.tiles_a_chunk;
    const int64_t last_tile = std::min(task_.tiles, first_tile + task_.tiles_a_chunk);
    const int64_t first_panel = panel_chunk * task_.panels_a_chunk;
    const int64_t last_panel =
        std::min(static_cast<int64_t>(task_.panels.size()), first_panel + task_.panels_a_chunk);
    for (int64_t i = first_panel; i < last_panel; ++i) {
      const ConvPanel& panel = task_.panels[static_cast<size_t>(i)];
      for (int64_t t = first_tile; t < last_tile; ++t) run_tile_of(panel, t);
    }
  }

 private:
  DirectTile tile(int64_t t) const {
    const int64_t column = t % row_tiles_;
    const int64_t q = shape_.out_width * column / row_tiles_;
    return {t / row_tiles_, q, shape_.out_width * (column + 1) / row_tiles_ - q};
  }

  void run_tile_of(const ConvPanel& panel, int64_t t) {
    const DirectTile place = tile(t);
    const int64_t y = place.p * kStride - shape_.padding;
    const int64_t x = place.q * kStride - shape_.padding;
    const int64_t columns = (place.pixels - 1) * kStride + shape_.kernel;
    const bool inside =
        y >= 0 && y + shape_.kernel <= shape_.in_height && x >= 0 && x + columns <= shape_.in_width;
    TileSource<E> source{.taps = taps_, .blocks = blocks_in_};
    if constexpr (std::is_same_v<E, Int8Element<Set>>) {
      source.start = task_.compensation + panel.first_block * kLanes;
    }
    const auto* const data = reinterpret_cast<const typename E::Source*>(task_.source);
    const int64_t picture_stride = shape_.in_height * shape_.in_width * kLanes;
    const typename E::Source* const group = data + panel.source_block * picture_stride;
    if (inside) {
      source.data = group + (y * shape_.in_width + x) * kPitch;
      source.block_stride = picture_stride;
      source.tap_count = set_taps(shape_.in_width);
    } else {
      stage(group, picture_stride, y, x, columns);
      source.data = staged_;
      source.block_stride = shape_.kernel * columns * kPitch;
      source.tap_count = set_taps(columns);
    }
    Accumulator sums[2 * kPixels];
    run_tile<E, Set, kPitch * kStride, kSteps>(
        place.pixels, panel.blocks, sums, kPixels, source,
        reinterpret_cast<const typename E::Weight*>(task_.weights) + panel.weight_offset);
    finish(panel, place, sums);
  }

  int64_t set_taps(int64_t row_pixels) {
    int64_t count = 0;
    for (int64_t r = 0; r < shape_.kernel; ++r) {
      if constexpr (kIsPicture) {
        taps_[count++] = r * row_pixels * kPitch;
      } else {
        for (int64_t s = 0; s < shape_.kernel; ++s) taps_[count++] = (r * row_pixels + s) * kPitch;
      }
    }
    return count;
  }

  // Copies what the tile reads to staged_ [blocks][kernel][columns][kPitch], padding included.
  void stage(const typename E::Source* group, int64_t picture_stride, int64_t y, int64_t x,
             int64_t columns) {
    const int64_t left = std::clamp<int64_t>(-x, 0, columns);
    const int64_t right = std::clamp<int64_t>(shape_.in_width - x, left, columns);
    typename E::Source* to = staged_;
    for (int64_t block = 0; block < blocks_in_; ++block) {
      for (int64_t r = 0; r < shape_.kernel; ++r, to += columns * kPitch) {
        const int64_t row = y + r;
        const bool exists = row >= 0 && row < shape_.in_height;
        const int64_t from = exists ? left : columns;
        const int64_t end = exists ? right : columns;
        for (int64_t i = 0; i < from * kPitch; ++i) to[i] = E::kPadding;
        if (from < end) {
          __builtin_memcpy(
              to + from * kPitch,
              group + block * picture_stride + (row * shape_.in_width + x + from) * kPitch,
              static_cast<size_t>((end - from) * kPitch) * sizeof(*to));
        }
        for (int64_t i = end * kPitch; i < columns * kPitch; ++i) to[i] = E::kPadding;
      }
    }
  }

  void finish(const ConvPanel& panel, const DirectTile& place, const Accumulator* sums) {
    const int64_t out_pixels = shape_.out_height * shape_.out_width;
    for (int64_t n = 0; n < panel.blocks; ++n) {
      const int64_t block = panel.first_block + n;
      const int64_t at = (block * out_pixels + place.p * shape_.out_width + place.q) * kLanes;
      finish_pixels<Set, Out>(task_, {.block = block, .at = at, .pixels = place.pixels},
                              sums + n * kPixels, kPixels);
    }
  }

  const ConvTask& task_;
  const ConvShape& shape_;
  typename E::Source* staged_;
  int64_t row_tiles_, blocks_in_;
  int64_t taps_[kMaxTaps] = {};
};

}  // namespace yolocu::cpu
