// Boxes of tensors as TMA copies them: brute force over their elements, from the descriptions in
// PTX ISA 9.0, 5.5 and the CUDA programming guide.
#pragma once

#include <array>

#include "kernels/tensor_map_spec.h"
#include "tests/conformance/inputs.h"

namespace yolocu::conformance {

using Lengths = std::array<int64_t, kMapMaxRank>;

// A tensor [size] whose strides leave gaps, and a box of it that begins at `at`.
struct BoxProblem {
  std::string name = {};
  MapType type = MapType::kF16;
  Swizzle swizzle = Swizzle::kNone;
  MapFill fill = MapFill::kZero;
  int rank = 0;
  Lengths size = {1, 1, 1, 1, 1}, box = {1, 1, 1, 1, 1}, traversal = {1, 1, 1, 1, 1};
  std::array<int32_t, kMapMaxRank> at = {};

  int64_t element_bytes() const { return map_type_bytes(type); }
  // [0]: of an element; [d]: a multiple of 16, and 16 more than dense.
  Lengths strides() const {
    Lengths strides = {element_bytes()};
    for (size_t d = 1; d < kMapMaxRank; ++d) {
      strides[d] = (strides[d - 1] * size[d - 1] + 15) / 16 * 16 + 16;
    }
    return strides;
  }
  int64_t tensor_bytes() const { return strides()[kMapMaxRank - 1] * size[kMapMaxRank - 1]; }
  // Elements of the box in dimension d.
  int64_t count(size_t d) const {
    return d == 0 ? box[0] : (box[d] + traversal[d] - 1) / traversal[d];
  }
  int64_t rows() const { return count(1) * count(2) * count(3) * count(4); }
  int64_t row_bytes() const { return box[0] * element_bytes(); }
  // From a row to the next in shared memory: with a swizzle its span.
  int64_t pitch_bytes() const {
    return swizzle == Swizzle::kNone ? row_bytes() : swizzle_span_bytes(swizzle);
  }
  // What a barrier counts, and what the box takes up, in whole patterns.
  int64_t copied_bytes() const { return rows() * row_bytes(); }
  int64_t shared_bytes() const { return (rows() * pitch_bytes() + 1023) / 1024 * 1024; }

  TensorMapSpec spec(void* address) const {
    return {.type = type,
            .swizzle = swizzle,
            .fill = fill,
            .rank = rank,
            .address = address,
            .size = size,
            .stride_bytes = strides(),
            .box = box,
            .traversal = traversal};
  }
};

// Where byte `offset` of a box lies that begins at a multiple of 1024: bits 4.. are XORed with bits
// 7.., as many as the span has chunks of 16 bytes.
inline int64_t swizzled(Swizzle swizzle, int64_t offset) {
  if (swizzle == Swizzle::kNone) return offset;
  const int64_t chunks = swizzle_span_bytes(swizzle) / 16;
  return offset ^ (offset / 128 % chunks) * 16;
}

// What is in shared memory before a load.
constexpr uint8_t kStale = 0x5A;
constexpr uint32_t kStaleWord = 0x5A5A5A5A;

// Of an element outside the tensor. No manual gives the bits of the NaN; see map_fill_byte().
inline uint8_t fill_byte(MapFill fill, int64_t byte) {
  constexpr uint8_t kNan[] = {0xF7, 0x7F};
  return fill == MapFill::kZero ? 0x00 : kNan[byte % 2];
}

constexpr int64_t kOutside = -1;

// Calls f(offset in the tensor or kOutside, offset in shared memory) for each element of the box.
template <typename F>
void for_each_element(const BoxProblem& problem, F f) {
  const Lengths strides = problem.strides();
  const int64_t row_count = problem.rows();
  for (int64_t i = 0; i < row_count * problem.box[0]; ++i) {
    int64_t rest = i, offset = 0;
    bool inside = true;
    for (size_t d = 0; d < kMapMaxRank; ++d) {
      const int64_t step = d == 0 ? 1 : problem.traversal[d];
      const int64_t coordinate = problem.at[d] + rest % problem.count(d) * step;
      rest /= problem.count(d);
      inside = inside && coordinate >= 0 && coordinate < problem.size[d];
      offset += coordinate * strides[d];
    }
    const int64_t row = i / problem.box[0], column = i % problem.box[0];
    f(inside ? offset : kOutside,
      swizzled(problem.swizzle, row * problem.pitch_bytes() + column * problem.element_bytes()));
  }
}

// Shared memory, all of it kStale before, after the box is loaded.
inline Bytes loaded_box(const BoxProblem& problem, std::span<const uint8_t> tensor) {
  Bytes shared(static_cast<size_t>(problem.shared_bytes()), kStale);
  const int64_t size = problem.element_bytes();
  for_each_element(problem, [&](int64_t from, int64_t to) {
    for (int64_t byte = 0; byte < size; ++byte) {
      shared[static_cast<size_t>(to + byte)] = from == kOutside
                                                   ? fill_byte(problem.fill, byte)
                                                   : tensor[static_cast<size_t>(from + byte)];
    }
  });
  return shared;
}

// The tensor after the box is stored. What lies outside is dropped, but 16 bytes of a row that
// begin inside are written whole: an H100 does so (driver 580.159, 2026-11-26), no manual says it.
inline void store_into(Bytes& tensor, const BoxProblem& problem, std::span<const uint8_t> shared) {
  constexpr int64_t kChunk = 16;
  for_each_element(problem, [&](int64_t to, int64_t from) {
    if (to == kOutside || from % kChunk != 0) return;
    for (int64_t byte = 0; byte < kChunk; ++byte) {
      tensor[static_cast<size_t>(to + byte)] = shared[static_cast<size_t>(from + byte)];
    }
  });
}

}  // namespace yolocu::conformance
