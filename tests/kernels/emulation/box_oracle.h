// Boxes by their definition: every element by its coordinates, without the code's walk.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "tests/kernels/emulation/random_access.h"

namespace yolocu::emulation {

constexpr std::byte kUntouched{0xCD};
constexpr std::byte kFill{0xF1};

// Any rank, type, swizzle, traversal; coordinates from before the tensor to past its end.
inline BoxAccess random_box(testing::RandomAccesses& random) {
  constexpr MapType kTypes[] = {MapType::kU8, MapType::kF16, MapType::kF32};
  BoxAccess access;
  TensorMapSpec& map = access.map;
  map.rank = static_cast<int>(random.between(1, 5));
  map.type = kTypes[random.between(0, 2)];
  map.swizzle = random.swizzle();
  const int64_t chunk_elements = 16 / map_type_bytes(map.type);
  const int64_t most_chunks =
      map.swizzle == Swizzle::kNone ? 5 : swizzle_span_bytes(map.swizzle) / 16;
  for (int d = 0; d < map.rank; ++d) {
    map.size[d] = d == 0 ? random.between(1, 3 * chunk_elements) : random.between(1, 6);
    map.box[d] = d == 0 ? chunk_elements * random.between(1, most_chunks) : random.between(1, 5);
    map.traversal[d] = random.between(1, 3);
    access.at[d] = static_cast<int32_t>(random.between(-map.box[d] - 1, map.size[d] + 1));
  }
  access.shared_address = pattern_bytes(map.swizzle) * static_cast<uint32_t>(random.between(0, 3));
  random.place_tensor(map);
  return access;
}

// Physical place of a byte: line and column of PTX 5.5.7, not the code's exclusive or of bits.
inline int64_t physical(int64_t address, Swizzle swizzle) {
  if (swizzle == Swizzle::kNone) return address;
  const int64_t chunks = swizzle_span_bytes(swizzle) / 16;
  const int64_t line = address / 128, column = address % 128 / 16;
  return line * 128 + (column / chunks * chunks + (column % chunks ^ line % chunks)) * 16 +
         address % 16;
}

// Shared memory from shared_address on after the access, from the coordinates of each element.
// fill: bytes 0 and 1, again and again, of an element outside.
inline std::vector<std::byte> expected_image(const BoxAccess& access,
                                             std::array<std::byte, 2> fill = {kFill, kFill}) {
  const TensorMapSpec& map = access.map;
  const int64_t element_bytes = map_type_bytes(map.type);
  const int64_t row_bytes = map.box[0] * element_bytes;
  const int64_t pitch = map.swizzle == Swizzle::kNone ? row_bytes : swizzle_span_bytes(map.swizzle);
  std::array<int64_t, 5> count = {1, 1, 1, 1, 1};
  for (int d = 0; d < map.rank; ++d) {
    count[d] = 0;
    const int64_t step = d == 0 ? 1 : map.traversal[d];
    for (int64_t i = 0; i < map.box[d]; i += step) ++count[d];
  }
  std::vector<std::byte> image(
      static_cast<size_t>(count[1] * count[2] * count[3] * count[4] * pitch), kUntouched);
  for (int64_t flat = 0; flat < count[0] * count[1] * count[2] * count[3] * count[4]; ++flat) {
    int64_t rest = flat, offset = 0;
    bool inside = true;
    for (int d = 0; d < map.rank; ++d) {
      const int64_t step = d == 0 ? 1 : map.traversal[d];
      const int64_t coordinate = access.at[d] + rest % count[d] * step;
      rest /= count[d];
      inside = inside && coordinate >= 0 && coordinate < map.size[d];
      offset += coordinate * (d == 0 ? element_bytes : map.stride_bytes[d]);
    }
    const int64_t logical =
        access.shared_address + flat / count[0] * pitch + flat % count[0] * element_bytes;
    const auto at = static_cast<size_t>(physical(logical, map.swizzle) - access.shared_address);
    for (int64_t i = 0; i < element_bytes; ++i) {
      image[at + static_cast<size_t>(i)] =
          inside ? static_cast<const std::byte*>(map.address)[offset + i]
                 : fill[static_cast<size_t>(i % 2)];
    }
  }
  return image;
}

}  // namespace yolocu::emulation
