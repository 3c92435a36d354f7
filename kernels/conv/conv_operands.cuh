// How the implicit GEMMs bring their operands to shared memory: x gathered through the filter, w as
// it lies, block_k of k at a time. Formula and tensors: conv.h.
//
// An operand tile is [rows, block_k] T with its 16-byte pieces swizzled: piece j of row i lies at
// place j ^ swizzle(i), so that who reads piece j of 8 rows, as ldmatrix does, meets all 32 banks.
#pragma once

#include "kernels/conv/conv_arguments.cuh"
#include "kernels/device/async.h"
#include "kernels/device/memory.h"
#include "kernels/device/threads.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// Elements of 16 bytes.
template <ConvTile kTile>
constexpr int kPiece = 16 / kTile.element_bytes;

// The place of piece `piece` of row `row`, in elements from the start of the row. A line of the
// banks (128 bytes) holds several short rows, which already differ in bank.
template <ConvTile kTile>
YOLOCU_DEVICE int swizzled_piece(int row, int piece) {
  constexpr int kPieces = kTile.block_k / kPiece<kTile>;
  static_assert(kPieces == 4 || kPieces == 8, "a row is 64 or 128 bytes");
  constexpr int kRowsOfALine = 8 / kPieces;
  return (piece ^ (row / kRowsOfALine % kPieces)) * kPiece<kTile>;
}

// A position within the filter, kept by additions only. k = (r * S + s) * channels + c.
struct FilterPosition {
  int r, s, c;

  YOLOCU_DEVICE static FilterPosition of(int k, const ConvShape& shape) {
    const int tap = k / shape.channels;
    return {tap / shape.filter_width, tap % shape.filter_width, k % shape.channels};
  }
  // step: of a k; each part is less than its extent, r excepted.
  YOLOCU_DEVICE void advance(const FilterPosition& step, const ConvShape& shape) {
    c += step.c;
    if (c >= shape.channels) {
      c -= shape.channels;
      ++s;
    }
    s += step.s;
    if (s >= shape.filter_width) {  // at most one too many: s and step.s are less than S
      s -= shape.filter_width;
      ++r;
    }
    r += step.r;
  }
};

// Copies kLoadBytes of src[index], or zeros, to dst[place].
template <int kLoadBytes, typename T>
YOLOCU_DEVICE void copy_vector(device::SharedPtr<T> dst, int place, device::GlobalPtr<const T> src,
                               int index, bool valid) {
  if constexpr (kLoadBytes < 4) {  // less than cp.async copies
    T value = {};
    if (valid) value = src.load(index);
    dst.store(place, value);
  } else {
    // The address of a copy of 0 bytes must be aligned too: the first element is.
    device::copy_async<kLoadBytes>(dst, place, src, valid ? index : 0, valid ? kLoadBytes : 0);
  }
}

// Which part of an operand tile of kRows rows a thread copies: one piece of every kRowStep-th row.
template <ConvTile kTile, int kRows>
struct CopyShare {
  static constexpr int kPieces = kTile.block_k / kPiece<kTile>;
  static constexpr int kRowStep = kTile.threads() / kPieces;
  static constexpr int kCopies = kRows / kRowStep;
  static_assert(kTile.threads() % kPieces == 0, "the threads make whole rows");
  static_assert(kRows % kRowStep == 0, "every thread copies the same number of rows");
  static_assert(kRowStep % 8 == 0, "the swizzle is the same in all rows of a thread");

  YOLOCU_DEVICE static int piece() { return static_cast<int>(device::thread_rank()) % kPieces; }
  YOLOCU_DEVICE static int row(int copy) {
    return static_cast<int>(device::thread_rank()) / kPieces + copy * kRowStep;
  }
  // Of the thread's piece in row(copy) of the tile.
  YOLOCU_DEVICE static int place(int copy) {
    return row(copy) * kTile.block_k + swizzled_piece<kTile>(row(0), piece());
  }
};

// Rows of x: output pixels. Row m of the GEMM, column k: x[n, p*stride - padding + r, ..., c].
template <typename T, ConvTile kTile, int kLoadBytes>
class PixelOperand {
 public:
  // first_pixel, first_k: of the block.
  YOLOCU_DEVICE PixelOperand(const ConvArguments<T>& arguments, int group, int first_pixel,
                             int first_k)
      : x_(arguments.x + group * arguments.shape.channels),
        step_(FilterPosition::of(kTile.block_k, arguments.shape)),
        position_(FilterPosition::of(first_k + Share::piece() * kPiece<kTile>, arguments.shape)) {
    YOLOCU_UNROLL
    for (int i = 0; i < Share::kCopies; ++i) {
      rows_[i] = row_of(first_pixel + Share::row(i), arguments.shape);
    }
  }

  // Copies the next block_k columns to tile [block_m, block_k].
  YOLOCU_DEVICE void copy(device::SharedPtr<T> tile, const ConvShape& shape) {
    FilterPosition position = position_;
    YOLOCU_UNROLL
    for (int v = 0; v < kPiece<kTile>; v += kVector) {
      const int tap = (position.r * shape.width + position.s) * shape.x_pixel_stride + position.c;
      const bool in_depth = position.r < shape.filter_height;
      YOLOCU_UNROLL
      for (int i = 0; i < Share::kCopies; ++i) {
        const auto h = static_cast<uint32_t>(rows_[i].h + position.r);  // negative: huge
        const auto w = static_cast<uint32_t>(rows_[i].w + position.s);
        const bool valid = in_depth && h < static_cast<uint32_t>(shape.height) &&
                           w < static_cast<uint32_t>(shape.width);
        copy_vector<kLoadBytes>(tile, Share::place(i) + v, x_, rows_[i].offset + tap, valid);
      }
      if constexpr (kVector < kPiece<kTile>) position.advance({0, 0, kVector}, shape);
    }
    position_.advance(step_, shape);
  }

 private:
  using Share = CopyShare<kTile, kTile.block_m>;
  static constexpr int kVector = kLoadBytes / kTile.element_bytes;  // divides the channels

  // The input pixel under the filter's corner: coordinates, and offset in x; both may be negative.
  struct Row {
    int h, w, offset;
  };

  YOLOCU_DEVICE static Row row_of(int pixel, const ConvShape& shape) {
    constexpr int kNowhere = INT32_MIN / 2;  // no r makes it a row of the picture
    if (pixel >= shape.pixels) return {kNowhere, 0, 0};
    const int q = pixel % shape.out_width;
    const int p = pixel / shape.out_width % shape.out_height;
    const int n = pixel / shape.out_width / shape.out_height;
    const int h = p * shape.stride - shape.padding;
    const int w = q * shape.stride - shape.padding;
    return {h, w, ((n * shape.height + h) * shape.width + w) * shape.x_pixel_stride};
  }

  device::GlobalPtr<const T> x_;
  FilterPosition step_, position_;  // of block_k; of the thread's piece
  Row rows_[Share::kCopies];
};

// Rows of w: output channels. Row n of the GEMM, column k: w[n, k], k contiguous.
template <typename T, ConvTile kTile, int kLoadBytes>
class FilterOperand {
 public:
  // first_channel: of the block, within the group. first_k: of the block.
  YOLOCU_DEVICE FilterOperand(const ConvArguments<T>& arguments, int group, int first_channel,
                              int first_k)
      : w_(arguments.w + int64_t{group} * arguments.shape.out_channels * arguments.shape.depth),
        first_channel_(first_channel),
        k_(first_k + Share::piece() * kPiece<kTile>) {}

  // Copies the next block_k columns to tile [block_n, block_k].
  YOLOCU_DEVICE void copy(device::SharedPtr<T> tile, const ConvShape& shape) {
    YOLOCU_UNROLL
    for (int i = 0; i < Share::kCopies; ++i) {
      const int row = first_channel_ + Share::row(i);
      const bool in_channels = row < shape.out_channels;
      YOLOCU_UNROLL
      for (int v = 0; v < kPiece<kTile>; v += kVector) {
        const bool valid = in_channels && k_ + v < shape.depth;
        copy_vector<kLoadBytes>(tile, Share::place(i) + v, w_, row * shape.depth + k_ + v, valid);
      }
    }
    k_ += kTile.block_k;
  }

 private:
  using Share = CopyShare<kTile, kTile.block_n>;
  static constexpr int kVector = kLoadBytes / kTile.element_bytes;

  device::GlobalPtr<const T> w_;
  int first_channel_;
  int k_;
};

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
