// Feature maps of the cpu device: channels in blocks, one block's pixels after the other.
#pragma once

#include <cstdint>

namespace yolocu::cpu {

// Element (c, y, x) is data[((c / block * height + y) * width + x) * block + c % block].
// block 8 or 16 is oneDNN's nChw8c or nChw16c, block == channels is NHWC. channels % block == 0.
// One picture; whole blocks of channels are contiguous, so a range of them is a dense tensor too.
struct Tensor {
  float* data = nullptr;
  int64_t block = 1, channels = 0, height = 0, width = 0;

  int64_t pixels() const { return height * width; }
  int64_t elements() const { return channels * pixels(); }
  // Index of channel c of pixel p = y * width + x.
  int64_t index(int64_t c, int64_t p) const {
    return (c / block * pixels() + p) * block + c % block;
  }
};

}  // namespace yolocu::cpu
