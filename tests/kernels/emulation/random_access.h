// Random TMA accesses for tests of the walk.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

#include "kernels/emulation/tensor_walk.h"

namespace yolocu::testing {

// Random accesses, and the tensors they go to: exactly the bytes from the first to the last
// element, so that AddressSanitizer sees any step outside.
class RandomAccesses {
 public:
  explicit RandomAccesses(uint64_t seed) : random_(seed) {}

  int64_t between(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }
  Swizzle swizzle() { return static_cast<Swizzle>(between(0, 3)); }

  // Sizes are set; strides with random gaps, and memory of random bytes behind.
  void place_tensor(TensorMapSpec& map) {
    const int64_t element_bytes = map_type_bytes(map.type);
    int64_t extent = map.size[0] * element_bytes;
    for (int d = 1; d < map.rank; ++d) {
      map.stride_bytes[d] = (extent + 15) / 16 * 16 + 16 * between(0, 2);
      extent = map.stride_bytes[d] * (map.size[d] - 1) + extent;
    }
    memory_.assign(static_cast<size_t>((extent + 15) / 16 * 16),
                   std::byte{});  // stores fill chunks
    for (std::byte& byte : memory_) byte = static_cast<std::byte>(between(0, 255));
    map.address = memory_.data();
  }
  // Of the last tensor.
  const std::vector<std::byte>& memory() const { return memory_; }

 private:
  std::mt19937_64 random_;
  std::vector<std::byte> memory_;
};

}  // namespace yolocu::testing
