// ldmatrix, stmatrix and mma.sync on register operands, in the layout that PTX gives.
#include <bit>
#include <cstring>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/collective.h"
#include "kernels/emulation/memory_access.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

constexpr uint32_t kAllLanes = 0xFFFFFFFF;
constexpr uint32_t kRowBytes = 16;  // of a b16 matrix of 8 rows
constexpr uint32_t kRows = 8;

// Row and column of element `half` (0 or 1) of a lane's register of a b16 matrix.
struct Place {
  uint32_t row, column;
};

Place place_of(uint32_t lane, uint32_t half, bool transpose) {
  const Place place{lane / 4, lane % 4 * 2 + half};
  return transpose ? Place{place.column, place.row} : place;
}

// The 16-bit element at `place` of matrix i, whose rows lanes 8 * i.. name.
std::byte* element_at(Thread& last, const Warp& warp, uint32_t matrix, const Place& place) {
  const uint32_t row = warp.operands[matrix * kRows + place.row].address;
  return last.block->shared.data() + row + place.column * 2;
}

// Lanes below 8 * count name rows, which are accessed on their behalf.
void check_row(Thread& thread, const MatrixOperands& operands, AccessKind kind, CallSite site) {
  if (thread.lane() >= kRows * static_cast<uint32_t>(operands.count)) return;
  check_shared(thread, kind, operands.address, kRowBytes, site);
}

template <typename Function>
void for_each_element(const Warp& warp, Function function) {
  const MatrixOperands& all = warp.operands[0];
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    for (uint32_t matrix = 0; matrix < static_cast<uint32_t>(all.count); ++matrix) {
      for (uint32_t half = 0; half < 2; ++half) {
        function(lane, matrix, half, place_of(lane, half, all.transpose));
      }
    }
  }
}

void check_same_shape(Thread& last, const Warp& warp) {
  for (const MatrixOperands& operands : warp.operands) {
    const MatrixOperands& first = warp.operands[0];
    if (operands.count == first.count && operands.transpose == first.transpose &&
        operands.element == first.element) {
      continue;
    }
    last.cluster->fail(last, {}, "divergent matrix instruction: lanes disagree on its shape");
  }
}

// Element j of a register: bits of `size` bits.
uint32_t bits_of(uint32_t word, uint32_t j, uint32_t size) {
  return (word >> (j * size)) & ((1u << size) - 1);
}

struct Product {
  std::array<uint32_t, 16 * 32> a;
  std::array<uint32_t, 8 * 32> b;
  std::array<uint32_t, 16 * 8> c;
};

// PTX ISA 9.0, 9.7.14.5: g = lane / 4, t = lane % 4.
void gather_operands(const Warp& warp, uint32_t depth, Product& product) {
  const uint32_t size = 256 / depth;  // bits of an element
  const uint32_t per_word = 32 / size;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    const MatrixOperands& from = warp.operands[lane];
    const uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t i = 0; i < 4; ++i) {
      for (uint32_t j = 0; j < per_word; ++j) {
        const uint32_t k = per_word * t + j + depth / 2 * (i / 2);
        product.a[(g + 8 * (i % 2)) * depth + k] =
            widen_element(from.element, bits_of(from.a[i], j, size));
      }
      product.c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = from.c[i];
    }
    for (uint32_t i = 0; i < 2; ++i) {
      for (uint32_t j = 0; j < per_word; ++j) {
        const uint32_t k = per_word * t + j + depth / 2 * i;
        product.b[g * depth + k] = widen_element(from.element, bits_of(from.b[i], j, size));
      }
    }
  }
}

void scatter_sums(Warp& warp, const Product& product) {
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    for (uint32_t i = 0; i < 4; ++i) {
      warp.operands[lane].c[i] = product.c[(lane / 4 + 8 * (i / 2)) * 8 + 2 * (lane % 4) + i % 2];
    }
  }
}

// All lanes bring their operands and take the results.
void meet_with(MatrixOperands& operands, CollectiveKind kind, CallSite site) {
  Thread& thread = *running_thread;
  if (thread.warp->lanes != kAllLanes) {
    thread.cluster->fail(thread, site, "matrix instruction in a warp of less than 32 threads");
  }
  thread.warp->operands[thread.lane()] = operands;
  meet(thread, {kind, kAllLanes, site}, 0);
  operands = thread.warp->operands[thread.lane()];
}

}  // namespace

void finish_load_matrix(Thread& last, Warp& warp) {
  check_same_shape(last, warp);
  for (MatrixOperands& operands : warp.operands) operands.a = {};
  for_each_element(warp, [&](uint32_t lane, uint32_t matrix, uint32_t half, const Place& place) {
    uint16_t bits;
    std::memcpy(&bits, element_at(last, warp, matrix, place), sizeof(bits));
    warp.operands[lane].a[matrix] |= uint32_t{bits} << (16 * half);
  });
}

void finish_store_matrix(Thread& last, Warp& warp) {
  check_same_shape(last, warp);
  for_each_element(warp, [&](uint32_t lane, uint32_t matrix, uint32_t half, const Place& place) {
    const auto bits = static_cast<uint16_t>(warp.operands[lane].a[matrix] >> (16 * half));
    std::memcpy(element_at(last, warp, matrix, place), &bits, sizeof(bits));
  });
}

void finish_multiply(Thread& last, Warp& warp) {
  check_same_shape(last, warp);
  const MatrixElement element = warp.operands[0].element;
  const ProductShape shape{16, 8, matrix_depth(element)};
  Product product;
  gather_operands(warp, shape.depth, product);
  multiply_matrices(element, product.c.data(), product.a.data(), product.b.data(), shape);
  scatter_sums(warp, product);
  last.cluster->counters.tensor_flops += int64_t{2} * shape.rows * shape.columns * shape.depth;
}

void load_matrix(MatrixOperands& operands, CallSite site) {
  check_row(*running_thread, operands, AccessKind::kRead, site);
  meet_with(operands, CollectiveKind::kLoadMatrix, site);
}

// A lane's row is written for it by all: the row is checked once all came, so that what it wrote
// before this call is ordered by the call itself.
void store_matrix(const MatrixOperands& operands, CallSite site) {
  Thread& thread = *running_thread;
  thread.cluster->require(thread, 90, "stmatrix", site);
  wait_for_warp_ops(thread);
  check_row(thread, operands, AccessKind::kWrite, site);
  MatrixOperands all = operands;
  meet_with(all, CollectiveKind::kStoreMatrix, site);
}

void multiply_registers(MatrixOperands& operands, CallSite site) {
  if (operands.element == MatrixElement::kE4m3) {
    running_thread->cluster->require(*running_thread, 89, "e4m3 products", site);
  }
  meet_with(operands, CollectiveKind::kMultiply, site);
}

}  // namespace yolocu::emulation
