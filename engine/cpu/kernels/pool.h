// Pooling and sums of blocked tensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/cpu/kernels/elements.h"
#include "engine/cpu/kernels/pool_task.h"

namespace yolocu::cpu {

// Vectors that order as elements do: floats, but int8 as it is stored.
template <typename Set, typename E>
struct Ordered {
  using V = typename Set::F;
  static V load_vector(const typename E::Source* x) { return E::load_floats(x); }
  static void store_vector(typename E::Source* y, V value) { E::store_floats(y, value); }
};

template <typename Set>
struct Ordered<Set, Int8Element<Set>> {
  using V = typename Set::B;
  static V load_vector(const uint8_t* x) { return load<V>(x); }
  static void store_vector(uint8_t* y, V value) { store(y, value); }
};

// One row of outputs of one block: columns of the window first, into scratch, then rows.
template <typename Set, typename E>
void max_pool_row(const PoolTask& task, int64_t block, int64_t p, std::byte* scratch) {
  using Vectors = Ordered<Set, E>;
  using V = typename Vectors::V;
  const PoolShape& shape = task.shape;
  constexpr int64_t kLanes = Set::kLanes;
  const auto* const source = reinterpret_cast<const typename E::Source*>(task.source) +
                             block * shape.in_height * shape.in_width * kLanes;
  auto* const destination = reinterpret_cast<typename E::Source*>(task.destination) +
                            (block * shape.out_height + p) * shape.out_width * kLanes;
  V* const columns = reinterpret_cast<V*>(scratch);  // [in_width]
  const int64_t top = std::max<int64_t>(0, p * shape.stride - shape.padding);
  const int64_t bottom = std::min(shape.in_height, p * shape.stride - shape.padding + shape.kernel);
  for (int64_t x = 0; x < shape.in_width; ++x) {
    V most = Vectors::load_vector(source + (top * shape.in_width + x) * kLanes);
    for (int64_t y = top + 1; y < bottom; ++y) {
      const V value = Vectors::load_vector(source + (y * shape.in_width + x) * kLanes);
      most = ((most > value) | (most != most)) ? most : value;  // once NaN, stays NaN
    }
    columns[x] = most;
  }
  for (int64_t q = 0; q < shape.out_width; ++q) {
    const int64_t left = std::max<int64_t>(0, q * shape.stride - shape.padding);
    const int64_t right = std::min(shape.in_width, q * shape.stride - shape.padding + shape.kernel);
    V most = columns[left];
    for (int64_t x = left + 1; x < right; ++x) {
      most = ((most > columns[x]) | (most != most)) ? most : columns[x];
    }
    Vectors::store_vector(destination + q * kLanes, most);
  }
}

template <typename Set, typename E>
void average_pool_row(const PoolTask& task, int64_t block, int64_t p) {
  using F = typename Set::F;
  const PoolShape& shape = task.shape;
  constexpr int64_t kLanes = Set::kLanes;
  const auto* const source = reinterpret_cast<const typename E::Source*>(task.source) +
                             (block * shape.in_height + p * shape.stride) * shape.in_width * kLanes;
  auto* const destination = reinterpret_cast<typename E::Source*>(task.destination) +
                            (block * shape.out_height + p) * shape.out_width * kLanes;
  const float share = 1.0f / static_cast<float>(shape.kernel * shape.kernel);
  for (int64_t q = 0; q < shape.out_width; ++q) {
    F sum = {};
    for (int64_t r = 0; r < shape.kernel; ++r) {
      const auto* const row = source + (r * shape.in_width + q * shape.stride) * kLanes;
      for (int64_t s = 0; s < shape.kernel; ++s) sum += E::load_floats(row + s * kLanes);
    }
    E::store_floats(destination + q * kLanes, sum * share);
  }
}

// 2 x 2 at stride 1 of int8, in integers. Each column's sum serves two means.
template <typename Set>
void int8_average_2x2_row(const PoolTask& task, int64_t block, int64_t p) {
  using H = typename Set::H;
  const PoolShape& shape = task.shape;
  constexpr int64_t kLanes = Set::kLanes;
  const int64_t row_stride = shape.in_width * kLanes;
  const auto* const source =
      reinterpret_cast<const uint8_t*>(task.source) + (block * shape.in_height + p) * row_stride;
  auto* const destination = reinterpret_cast<uint8_t*>(task.destination) +
                            (block * shape.out_height + p) * shape.out_width * kLanes;
  const auto column = [&](int64_t x) {
    const uint8_t* const top = source + x * kLanes;
    return Int8Element<Set>::load_units(top) + Int8Element<Set>::load_units(top + row_stride);
  };
  H left = column(0);
  for (int64_t q = 0; q < shape.out_width; ++q) {
    const H right = column(q + 1);
    const H sum = left + right;
    // Ties to even: 128 is even, so that q + 128 is rounded as q is.
    const H mean = (sum + 1 + ((sum >> 2) & 1)) >> 2;
    store(destination + q * kLanes, __builtin_convertvector(mean, typename Set::B));
    left = right;
  }
}

// chunk: a row of outputs of a block.
template <typename Set, typename E>
void pool_row(const PoolTask& task, int64_t chunk, std::byte* scratch) {
  const int64_t block = chunk / task.shape.out_height;
  const int64_t p = chunk % task.shape.out_height;
  if (task.shape.kind == PoolKind::kMax) return max_pool_row<Set, E>(task, block, p, scratch);
  if constexpr (std::is_same_v<E, Int8Element<Set>>) {
    if (task.shape.kernel == 2 && task.shape.stride == 1) {
      return int8_average_2x2_row<Set>(task, block, p);
    }
  }
  average_pool_row<Set, E>(task, block, p);
}

// kLanes elements from number `at` on.
template <typename Set>
[[gnu::always_inline]] inline typename Set::F load_term(const AddTask::Source& source,
                                                        int64_t block, int64_t at) {
  if constexpr (Set::kHasDot) {
    if (source.element == Element::kI8) {
      return Int8Element<Set>::load_floats(reinterpret_cast<const uint8_t*>(source.data) + at) *
             load<typename Set::F>(source.scale + block * Set::kLanes);
    }
    if (source.element == Element::kBf16) {
      return Bf16Element<Set>::load_floats(reinterpret_cast<const uint16_t*>(source.data) + at);
    }
  }
  return F32Element<Set>::load_floats(reinterpret_cast<const float*>(source.data) + at);
}

template <typename Set>
[[gnu::always_inline]] inline void store_sum(const AddTask& task, int64_t at,
                                             typename Set::F value) {
  if constexpr (Set::kHasDot) {
    if (task.element == Element::kI8) {
      return Int8Element<Set>::store_floats(reinterpret_cast<uint8_t*>(task.destination) + at,
                                            value * task.inverse_output_scale);
    }
    if (task.element == Element::kBf16) {
      return Bf16Element<Set>::store_floats(reinterpret_cast<uint16_t*>(task.destination) + at,
                                            value);
    }
  }
  F32Element<Set>::store_floats(reinterpret_cast<float*>(task.destination) + at, value);
}

// Pixels [begin, end) of a block.
template <typename Set>
void add_pixels(const AddTask& task, int64_t block, int64_t begin, int64_t end) {
  for (int64_t p = begin; p < end; ++p) {
    const int64_t at = (block * task.pixels + p) * Set::kLanes;
    auto sum = load_term<Set>(task.sources[0], block, at);
    for (size_t i = 1; i < task.sources.size(); ++i) {
      sum += load_term<Set>(task.sources[i], block, at);
    }
    store_sum<Set>(task, at, sum);
  }
}

}  // namespace yolocu::cpu
