// 3 x 3 convolution of stride 1 by Winograd's minimal filtering F(4 x 4, 3 x 3): 36 multiplications
// for 16 outputs where the definition has 144; the formulas are in winograd_arithmetic.h.
//
// Tiles overlap by two pixels. The 36 products of a tile are 36 products of matrices over many
// tiles: [tiles, channels] x [channels, outputs], by the register tiles of other convolutions. A
// chunk of tiles passes through all three steps while it is in the caches.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/cpu/kernels/conv_task.h"
#include "engine/cpu/kernels/epilogue.h"
#include "engine/cpu/kernels/register_tile.h"
#include "engine/cpu/kernels/winograd_arithmetic.h"
#include "engine/cpu/kernels/winograd_shape.h"

namespace yolocu::cpu {

// Arithmetic: FloatWinograd or Int8Winograd.
template <typename Set, typename Arithmetic, typename Out>
class WinogradConv {
 public:
  using Product = typename Arithmetic::Product;
  using Input = typename Arithmetic::Input;
  using Accumulator = typename Arithmetic::Accumulator;
  static constexpr int kLanes = Set::kLanes;

  WinogradConv(const ConvTask& task, std::byte* scratch)
      : task_(task),
        shape_(task.shape),
        columns_(winograd_tiles(shape_.out_width)),
        blocks_in_(shape_.in_channels / kLanes),
        inputs_stride_(winograd_stride(blocks_in_, task.tiles_a_chunk)),
        inputs_(reinterpret_cast<Input*>(scratch)),
        products_(reinterpret_cast<Accumulator*>(inputs_ + kWinogradProducts * inputs_stride_)) {}

  void run_chunk(int64_t chunk) {
    const int64_t tile_chunk = chunk % task_.tile_chunks;
    const int64_t panel_chunk = chunk / task_.tile_chunks;
    first_tile_ = tile_chunk * task_.tiles_a_chunk;
    tiles_ = std::min(task_.tiles, first_tile_ + task_.tiles_a_chunk) - first_tile_;
    for (int64_t block = 0; block < blocks_in_; ++block) {
      for (int64_t t = 0; t < tiles_; ++t) transform_tile(block, t);
    }
    const int64_t first = panel_chunk * task_.panels_a_chunk;
    const int64_t last =
        std::min(static_cast<int64_t>(task_.panels.size()), first + task_.panels_a_chunk);
    for (int64_t i = first; i < last; ++i) {
      const ConvPanel& panel = task_.panels[static_cast<size_t>(i)];
      multiply(panel);
      for (int64_t n = 0; n < panel.blocks; ++n) {
        for (int64_t t = 0; t < tiles_; ++t) finish_tile(panel.first_block + n, n, t);
      }
    }
  }

 private:
  // inputs_ [36][blocks][tiles_a_chunk] and products_ [36][2][tiles_a_chunk], in vectors; each of
  // the 36 has winograd_stride() of them.
  int64_t products_pitch() const { return winograd_stride(2, task_.tiles_a_chunk); }

  // Element (1, 1) of a transformed tile of kZero; the others are 0.
  static constexpr uint16_t kZeroTransformed = 36 * Arithmetic::kZero;

  void transform_tile(int64_t block, int64_t t) {
    const int64_t tile = first_tile_ + t;
    const int64_t y = tile / columns_ * kWinogradOut - shape_.padding;
    const int64_t x = tile % columns_ * kWinogradOut - shape_.padding;
    const auto* const data = reinterpret_cast<const typename Arithmetic::Source*>(task_.source) +
                             block * shape_.in_height * shape_.in_width * kLanes;
    Input d[kWinogradIn][kWinogradIn];  // [column][row]
    const bool inside = y >= 0 && y + kWinogradIn <= shape_.in_height && x >= 0 &&
                        x + kWinogradIn <= shape_.in_width;
    const auto load_tile = [&](auto exists) {
      for (int64_t i = 0; i < kWinogradIn; ++i) {
        const auto* const row = data + ((y + i) * shape_.in_width + x) * kLanes;
#pragma GCC unroll 6
        for (int64_t j = 0; j < kWinogradIn; ++j) {
          d[j][i] = exists(y + i, x + j) ? Arithmetic::load_inputs(row + j * kLanes)
                                     : Input{} + Arithmetic::kZero;
        }
      }
    };
    if (inside) {
      load_tile([](int64_t, int64_t) { return true; });
    } else {
      load_tile([&](int64_t row, int64_t column) {
        return row >= 0 && row < shape_.in_height && column >= 0 && column < shape_.in_width;
      });
    }
    Input columns[kWinogradIn][kWinogradIn];  // [row][column]
#pragma GCC unroll 6
    for (int j = 0; j < kWinogradIn; ++j) {
      Input column[kWinogradIn];
      transform_inputs(column, d[j]);
#pragma GCC unroll 6
      for (int i = 0; i < kWinogradIn; ++i) columns[i][j] = column[i];
    }
    Input* to = inputs_ + block * task_.tiles_a_chunk + t;
#pragma GCC unroll 6
    for (int i = 0; i < kWinogradIn; ++i) {
      Input row[kWinogradIn];
      transform_inputs(row, columns[i]);
      if (i == 1) row[1] -= kZeroTransformed;
#pragma GCC unroll 6
      for (int j = 0; j < kWinogradIn; ++j, to += inputs_stride_) *to = row[j];
    }
  }

  void multiply(const ConvPanel& panel) {
    const auto* weights =
        reinterpret_cast<const typename Product::Weight*>(task_.weights) + panel.weight_offset;
    const int64_t weights_stride = shape_.in_channels * panel.blocks * kLanes;
    constexpr int64_t kHere = 0;
    TileSource<Product> source{.taps = &kHere,
                               .tap_count = 1,
                               .blocks = blocks_in_,
                               .block_stride = task_.tiles_a_chunk * kLanes};
    for (int64_t f = 0; f < kWinogradProducts; ++f, weights += weights_stride) {
      const Input* const inputs = inputs_ + f * inputs_stride_;
      Accumulator* const products = products_ + f * products_pitch();
      const int64_t count = tiles_a_row(tiles_, kTilePixels<Set>);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t begin = tiles_ * i / count;
        source.data = reinterpret_cast<const typename Product::Source*>(inputs + begin);
        run_tile<Product, Set, kLanes, kLanes / Product::kPack>(
            tiles_ * (i + 1) / count - begin, panel.blocks, products + begin, task_.tiles_a_chunk,
            source, weights);
      }
    }
  }

  // The 4 x 4 outputs of tile t from block n of the products.
  void finish_tile(int64_t out_block, int64_t n, int64_t t) {
    const Accumulator* from = products_ + n * task_.tiles_a_chunk + t;
    Accumulator rows[kWinogradOut][kWinogradIn];
    {
      Accumulator m[kWinogradIn][kWinogradIn];  // [column][row]
#pragma GCC unroll 6
      for (int i = 0; i < kWinogradIn; ++i) {
#pragma GCC unroll 6
        for (int j = 0; j < kWinogradIn; ++j, from += products_pitch()) m[j][i] = *from;
      }
#pragma GCC unroll 6
      for (int j = 0; j < kWinogradIn; ++j) {
        Accumulator column[kWinogradOut];
        Arithmetic::transform_outputs(column, m[j]);
#pragma GCC unroll 4
        for (int i = 0; i < kWinogradOut; ++i) rows[i][j] = column[i];
      }
    }
    const int64_t tile = first_tile_ + t;
    const int64_t p = tile / columns_ * kWinogradOut;
    const int64_t q = tile % columns_ * kWinogradOut;
    typename Arithmetic::Sum sums[kWinogradOut][kWinogradOut];
#pragma GCC unroll 4
    for (int i = 0; i < kWinogradOut; ++i) {
      Accumulator row[kWinogradOut];
      Arithmetic::transform_outputs(row, rows[i]);
#pragma GCC unroll 4
      for (int j = 0; j < kWinogradOut; ++j) sums[i][j] = Arithmetic::sum(row[j], i, j);
    }
    const int64_t out_pixels = shape_.out_height * shape_.out_width;
    finish_pixels<Set, Out>(task_,
                            {.block = out_block,
                             .at = (out_block * out_pixels + p * shape_.out_width + q) * kLanes,
                             .pixels = std::min(kWinogradOut, shape_.out_width - q),
                             .rows = std::min(kWinogradOut, shape_.out_height - p),
                             .row_stride = shape_.out_width * kLanes},
                            sums[0], kWinogradOut);
  }

  const ConvTask& task_;
  const ConvShape& shape_;
  int64_t columns_, blocks_in_, inputs_stride_;
  Input* inputs_;
  Accumulator* products_;
  int64_t first_tile_ = 0, tiles_ = 0;
};

}  // namespace yolocu::cpu
