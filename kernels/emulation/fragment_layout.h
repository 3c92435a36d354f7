// Which element of a matrix each register of each lane holds, for the warp's and the warpgroup's
// matrix instructions. With g = lane / 4 and t = lane % 4. `element` counts from the low bits of a
// register; element_bytes is 1 or 2. Source: PTX ISA 9.0, 9.7.14.5 and 9.7.15.5.1.1.
#pragma once

#include <cstdint>

namespace yolocu::emulation {

// column: k for operands A and B, n for sums.
struct FragmentPlace {
  uint32_t row, column;

  friend constexpr bool operator==(const FragmentPlace&, const FragmentPlace&) = default;
};

constexpr uint32_t kRegisterBytes = 4;
constexpr uint32_t kWarpLanes = 32;

// mma.sync, A [16, k]: row g + 8 * (register % 2), and 16 bytes of k further on every second
// register. Two registers are the m16n8k8 form, four the full depth of 32 bytes.
constexpr FragmentPlace mma_a_place(uint32_t lane, uint32_t reg, uint32_t element,
                                    uint32_t element_bytes) {
  const uint32_t elements = kRegisterBytes / element_bytes;
  return {lane / 4 + 8 * (reg % 2), elements * (lane % 4) + element + 4 * elements * (reg / 2)};
}

// mma.sync, B [8, k], row = column of the product: row g, 16 bytes of k a register.
constexpr FragmentPlace mma_b_place(uint32_t lane, uint32_t reg, uint32_t element,
                                    uint32_t element_bytes) {
  const uint32_t elements = kRegisterBytes / element_bytes;
  return {lane / 4, elements * (lane % 4) + element + 4 * elements * reg};
}

// mma.sync, C and D [16, 8], 32-bit sums: row g + 8 * (reg / 2), column 2 * t + reg % 2.
constexpr FragmentPlace mma_sum_place(uint32_t lane, uint32_t reg) {
  return {lane / 4 + 8 * (reg / 2), 2 * (lane % 4) + reg % 2};
}

// ldmatrix and stmatrix of b16: the matrix and the row of it whose address `lane` passes, column 0.
struct MatrixRow {
  uint32_t matrix, row;

  friend constexpr bool operator==(const MatrixRow&, const MatrixRow&) = default;
};
constexpr MatrixRow matrix_row_of_lane(uint32_t lane) {
  return {lane / 8, lane % 8};
}

// Of the 8 x 8 matrix as it lies in shared memory, what half `element` of the lane's register for
// that matrix holds: row g, columns 2 * t and the next.
constexpr FragmentPlace matrix_place(uint32_t lane, uint32_t element) {
  return {lane / 4, 2 * (lane % 4) + element};
}
// The same with .trans.
constexpr FragmentPlace matrix_place_transposed(uint32_t lane, uint32_t element) {
  return {2 * (lane % 4) + element, lane / 4};
}

// wgmma, A [64, k] from registers: warp w of the group holds rows 16 * w on, as mma.sync's A.
constexpr FragmentPlace wgmma_a_place(uint32_t thread, uint32_t reg, uint32_t element,
                                      uint32_t element_bytes) {
  const FragmentPlace place = mma_a_place(thread % kWarpLanes, reg, element, element_bytes);
  return {16 * (thread / kWarpLanes) + place.row, place.column};
}

// wgmma, D [64, n], 32-bit sums: four registers for every 8 columns, as mma.sync's C.
constexpr FragmentPlace wgmma_sum_place(uint32_t thread, uint32_t reg) {
  const FragmentPlace place = mma_sum_place(thread % kWarpLanes, reg % 4);
  return {16 * (thread / kWarpLanes) + place.row, 8 * (reg / 4) + place.column};
}

}  // namespace yolocu::emulation
