#include "kernels/emulation/tensor_walk.h"

#include <bit>

#include "engine/base/str_cat.h"

namespace yolocu::emulation {
namespace {

int64_t most_tap(int rank) {
  if (rank == 3) return 65535;
  return rank == 4 ? 255 : 31;
}

// Largest coordinate of a base pixel; `dimension` 1 is W.
int64_t last_base(const TensorMapSpec& map, int dimension) {
  return map.size[dimension] - 1 + map.upper[dimension - 1];
}

std::string mode_error(const TensorMapSpec& map, const BoxInstruction& instruction) {
  if (instruction.mode != map.mode) {
    return str_cat("expected a ", instruction.mode == MapMode::kTiled ? "kTiled" : "kIm2col",
                   " map, got ", map.mode == MapMode::kTiled ? "kTiled" : "kIm2col");
  }
  if (instruction.rank != map.rank) {
    return str_cat("expected a map of rank ", instruction.rank, ", got rank ", map.rank);
  }
  if (map.mode == MapMode::kIm2col && instruction.direction == BoxDirection::kStore) {
    return "expected a kTiled map for a store, got kIm2col";
  }
  return {};
}

std::string address_error(const BoxAccess& access) {
  const uint32_t alignment = pattern_bytes(access.map.swizzle);
  if (access.shared_address % alignment != 0) {
    return str_cat("the address in shared memory must be a multiple of ", alignment, " bytes, got ",
                   access.shared_address);
  }
  const int64_t start_bytes = access.at[0] * map_type_bytes(access.map.type);
  if (start_bytes % kBoxChunkBytes != 0) {
    return str_cat("coordinate 0 must be a multiple of 16 bytes, got ", access.at[0], " elements, ",
                   start_bytes, " bytes");
  }
  return {};
}

std::string store_error(const BoxAccess& access) {
  for (int d = 0; d < access.map.rank; ++d) {
    if (access.at[d] >= 0) continue;
    return str_cat("coordinate ", d, " of a store must not be negative, got ", access.at[d]);
  }
  return {};
}

std::string im2col_error(const BoxAccess& access) {
  const TensorMapSpec& map = access.map;
  for (int i = 0; i < map.rank - 2; ++i) {
    const int32_t start = access.at[i + 1];
    if (start < map.lower[i] || start > last_base(map, i + 1)) {
      return str_cat("coordinate ", i + 1, " must lie in the map's box ", map.lower[i], "..",
                     last_base(map, i + 1), ", got ", start);
    }
    if (access.taps[i] < 0 || access.taps[i] > most_tap(map.rank)) {
      return str_cat("tap ", i, " must be in 0..", most_tap(map.rank), ", got ", access.taps[i]);
    }
  }
  return {};
}

}  // namespace

std::string box_access_error(const BoxAccess& access, const BoxInstruction& instruction) {
  std::string error = mode_error(access.map, instruction);
  if (error.empty()) error = address_error(access);
  if (error.empty() && instruction.direction == BoxDirection::kStore) error = store_error(access);
  if (error.empty() && access.map.mode == MapMode::kIm2col) error = im2col_error(access);
  return error;
}

BoxShape box_shape(const TensorMapSpec& map) {
  const int64_t row_bytes = map.box[0] * map_type_bytes(map.type);
  const int64_t pitch_bytes =
      map.swizzle == Swizzle::kNone ? row_bytes : swizzle_span_bytes(map.swizzle);
  if (map.mode == MapMode::kIm2col) return {map.pixels, row_bytes, pitch_bytes};
  int64_t rows = 1;
  for (int d = 1; d < map.rank; ++d) {
    rows *= (map.box[d] + map.traversal[d] - 1) / map.traversal[d];
  }
  return {rows, row_bytes, pitch_bytes};
}

BoxWalk::BoxWalk(const BoxAccess& access) : access_(access), shape_(box_shape(access.map)) {
  const TensorMapSpec& map = access.map;
  const int64_t element_bytes = map_type_bytes(map.type);
  const int64_t start = access.at[0];
  const int64_t first = std::clamp<int64_t>(-start, 0, map.box[0]);
  const int64_t end = std::clamp<int64_t>(map.size[0] - start, 0, map.box[0]);
  first_valid_ = static_cast<uint32_t>(first * element_bytes);
  valid_bytes_ = static_cast<uint32_t>(std::max<int64_t>(end - first, 0) * element_bytes);
  for (int d = 0; d < map.rank; ++d) at_[d] = access.at[d];
}

int64_t BoxWalk::tap(int dimension) const {
  const TensorMapSpec& map = access_.map;
  const bool is_spatial = map.mode == MapMode::kIm2col && dimension < map.rank - 1;
  return is_spatial ? access_.taps[dimension - 1] : 0;
}

// Unsigned, because a map may describe far more than there is memory: whoever follows `global`
// checks that it lies in a buffer.
BoxRow BoxWalk::row() const {
  const TensorMapSpec& map = access_.map;
  const auto address = access_.shared_address + static_cast<uint32_t>(row_ * shape_.pitch_bytes);
  auto global = static_cast<uint64_t>(at_[0] * map_type_bytes(map.type) + first_valid_) +
                std::bit_cast<uintptr_t>(map.address);
  bool inside = valid_bytes_ > 0;
  for (int d = 1; d < map.rank && inside; ++d) {
    const int64_t coordinate = at_[d] + tap(d);
    inside = coordinate >= 0 && coordinate < map.size[d];
    global += static_cast<uint64_t>(coordinate) * static_cast<uint64_t>(map.stride_bytes[d]);
  }
  if (!inside) return {address, nullptr, 0, 0};
  return {address, std::bit_cast<std::byte*>(static_cast<uintptr_t>(global)), first_valid_,
          valid_bytes_};
}

void BoxWalk::advance() {
  ++row_;
  if (access_.map.mode == MapMode::kTiled) {
    advance_tiled();
  } else {
    advance_im2col();
  }
}

void BoxWalk::advance_tiled() {
  const TensorMapSpec& map = access_.map;
  for (int d = 1; d < map.rank; ++d) {
    at_[d] += map.traversal[d];
    steps_[d] += map.traversal[d];
    if (steps_[d] < map.box[d]) return;
    at_[d] = access_.at[d];
    steps_[d] = 0;
  }
}

// A base pixel past the box's end goes on at its lower corner, not at the coordinate it came from.
void BoxWalk::advance_im2col() {
  const TensorMapSpec& map = access_.map;
  for (int d = 1; d < map.rank - 1; ++d) {
    at_[d] += map.traversal[d];
    if (at_[d] <= last_base(map, d)) return;
    at_[d] = map.lower[d - 1];
  }
  ++at_[map.rank - 1];
}

}  // namespace yolocu::emulation
