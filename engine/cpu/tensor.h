// Feature maps of the cpu device: channels in blocks, one block's pixels after the other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/cpu/kernels/elements.h"

namespace yolocu::cpu {

// Element (c, y, x) is number ((c / block * height + y) * width + x) * block + c % block of data.
// block: the kernels' lanes (8 or 16), or channels, which is NHWC. channels % block == 0.
// One picture; whole blocks of channels are contiguous, so a range of them is a dense tensor too.
struct Tensor {
  std::byte* data = nullptr;
  Element element = Element::kF32;
  int64_t block = 1, channels = 0, height = 0, width = 0;

  int64_t pixels() const { return height * width; }
  int64_t elements() const { return channels * pixels(); }
  int64_t size_bytes() const { return elements() * element_bytes(element); }
  // Number of channel c of pixel p = y * width + x.
  int64_t index(int64_t c, int64_t p) const {
    return (c / block * pixels() + p) * block + c % block;
  }
  float* floats() const { return reinterpret_cast<float*>(data); }
};

}  // namespace yolocu::cpu
