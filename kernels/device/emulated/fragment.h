// fragment.h on the host: a fragment names words of the warp's matrix registers. They are a stack,
// as fragments are local variables that all lanes make and leave alike.
#pragma once

#include <bit>

#include "kernels/emulation/thread.h"

namespace yolocu::device {
inline namespace emulated_target {

constexpr uint32_t kFragmentTile = 16;  // rows and columns of a tile

// Takes `kWords` registers, poisoned, for the life of the object.
template <uint32_t kWords>
class MatrixWords {
 public:
  explicit MatrixWords(CallSite site) : first_(emulation::take_matrix_registers(kWords)) {
    emulation::post_warp_op(
        {.code = emulation::WarpOpCode::kPoison, .d = first_, .bits = kWords, .site = site}, 0);
  }
  ~MatrixWords() { emulation::return_matrix_registers(kWords); }
  MatrixWords(const MatrixWords&) = delete;
  MatrixWords& operator=(const MatrixWords&) = delete;

  uint32_t first() const { return first_; }

 private:
  uint32_t first_;
};

template <typename T, int kTiles>
class FragmentA {
 public:
  explicit FragmentA(CallSite site = CallSite::current()) : words_(site) {}
  uint32_t first() const { return words_.first(); }

 private:
  MatrixWords<kTiles * kFragmentTile * MatrixType<T>::kDepth> words_;
};

template <typename T, int kTiles>
class FragmentB {
 public:
  explicit FragmentB(CallSite site = CallSite::current()) : words_(site) {}
  uint32_t first() const { return words_.first(); }

 private:
  MatrixWords<kTiles * kFragmentTile * MatrixType<T>::kDepth> words_;
};

template <typename T, int kRowTiles, int kColumnTiles>
class FragmentSums {
 public:
  using Sum = MatrixSum<T>;

  explicit FragmentSums(CallSite site = CallSite::current()) : words_(site) {}

  void fill(Sum value, CallSite site = CallSite::current()) {
    emulation::post_warp_op({.code = emulation::WarpOpCode::kFill,
                             .d = first(),
                             .a = kRowTiles * kColumnTiles * kFragmentTile * kFragmentTile,
                             .bits = std::bit_cast<uint32_t>(value),
                             .site = site},
                            0);
  }

  Sum get(int m, int n, int i, CallSite site = CallSite::current()) const {
    const auto row =
        static_cast<uint32_t>(m) * kFragmentTile + static_cast<uint32_t>(fragment_sum_row(i));
    const auto column =
        static_cast<uint32_t>(n) * kFragmentTile + static_cast<uint32_t>(fragment_sum_column(i));
    return std::bit_cast<Sum>(emulation::read_matrix_register(
        first(), row * kColumnTiles * kFragmentTile + column, site));
  }

  uint32_t first() const { return words_.first(); }

 private:
  MatrixWords<kRowTiles * kColumnTiles * kFragmentTile * kFragmentTile> words_;
};

template <typename T, int kTiles>
void load_fragment(FragmentA<T, kTiles>& a, SharedPtr<T> row, int64_t tile_stride, CallSite site) {
  emulation::post_warp_op(
      {.code = emulation::WarpOpCode::kLoadA,
       .element = matrix_element<T>(),
       .row_tiles = kTiles,
       .d = a.first(),
       .tile_stride = static_cast<int32_t>(tile_stride * static_cast<int64_t>(sizeof(T))),
       .site = site},
      row.address());
}

template <typename T, int kTiles>
void load_fragment(FragmentB<T, kTiles>& b, SharedPtr<T> row, int64_t tile_stride, CallSite site) {
  emulation::post_warp_op(
      {.code = emulation::WarpOpCode::kLoadB,
       .element = matrix_element<T>(),
       .column_tiles = kTiles,
       .d = b.first(),
       .tile_stride = static_cast<int32_t>(tile_stride * static_cast<int64_t>(sizeof(T))),
       .site = site},
      row.address());
}

template <typename T, int kRowTiles, int kColumnTiles>
void multiply_add(FragmentSums<T, kRowTiles, kColumnTiles>& c, const FragmentA<T, kRowTiles>& a,
                  const FragmentB<T, kColumnTiles>& b, CallSite site) {
  emulation::post_warp_op({.code = emulation::WarpOpCode::kMultiply,
                           .element = matrix_element<T>(),
                           .row_tiles = kRowTiles,
                           .column_tiles = kColumnTiles,
                           .d = c.first(),
                           .a = a.first(),
                           .b = b.first(),
                           .site = site},
                          0);
}

}  // namespace emulated_target
}  // namespace yolocu::device
