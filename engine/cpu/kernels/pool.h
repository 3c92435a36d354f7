// Pooling and sums of blocked tensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "engine/cpu/kernels/elements.h"
#include "engine/cpu/kernels/pool_task.h"

namespace yolocu::cpu {

// One row of outputs of one block: columns of the window first, into scratch, then rows.
template <typename Set, typename E>
void max_pool_row(const PoolTask& task, int64_t block, int64_t p, std::byte* scratch) {
  using F = typename Set::F;
  const PoolShape& shape = task.shape;
  constexpr int64_t kLanes = Set::kLanes;
  const auto* const source = reinterpret_cast<const typename E::Source*>(task.source) +
                             block * shape.in_height * shape.in_width * kLanes;
  auto* const destination = reinterpret_cast<typename E::Source*>(task.destination) +
                            (block * shape.out_height + p) * shape.out_width * kLanes;
  F* const columns = reinterpret_cast<F*>(scratch);  // [in_width]
  const int64_t top = std::max<int64_t>(0, p * shape.stride - shape.padding);
  const int64_t bottom = std::min(shape.in_height, p * shape.stride - shape.padding + shape.kernel);
  for (int64_t x = 0; x < shape.in_width; ++x) {
    F most = E::load_floats(source + (top * shape.in_width + x) * kLanes);
    for (int64_t y = top + 1; y < bottom; ++y) {
      const F value = E::load_floats(source + (y * shape.in_width + x) * kLanes);
      most = most > value ? most : value;
    }
    columns[x] = most;
  }
  for (int64_t q = 0; q < shape.out_width; ++q) {
    const int64_t left = std::max<int64_t>(0, q * shape.stride - shape.padding);
    const int64_t right = std::min(shape.in_width, q * shape.stride - shape.padding + shape.kernel);
    F most = columns[left];
    for (int64_t x = left + 1; x < right; ++x) most = most > columns[x] ? most : columns[x];
    E::store_floats(destination + q * kLanes, most);
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

// chunk: a row of outputs of a block.
template <typename Set, typename E>
void pool_row(const PoolTask& task, int64_t chunk, std::byte* scratch) {
  const int64_t block = chunk / task.shape.out_height;
  const int64_t p = chunk % task.shape.out_height;
  if (task.shape.kind == PoolKind::kMax) {
    max_pool_row<Set, E>(task, block, p, scratch);
  } else {
    average_pool_row<Set, E>(task, block, p);
  }
}

// Sum of `sources` from left to right, of elements [begin, end), both multiples of kLanes.
template <typename Set, typename E>
void add_elements(std::byte* destination, const std::byte* const* sources, int64_t source_count,
                  int64_t begin, int64_t end) {
  using Source = typename E::Source;
  auto* const y = reinterpret_cast<Source*>(destination);
  for (int64_t i = begin; i < end; i += Set::kLanes) {
    auto sum = E::load_floats(reinterpret_cast<const Source*>(sources[0]) + i);
    for (int64_t j = 1; j < source_count; ++j) {
      sum += E::load_floats(reinterpret_cast<const Source*>(sources[j]) + i);
    }
    E::store_floats(y + i, sum);
  }
}

}  // namespace yolocu::cpu
