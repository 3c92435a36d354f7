// Oracle of channel_copy, and the problems that tests run it on. Shares nothing with the kernels
// but the problem struct.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/copy/channel_copy.h"

namespace yolocu::testing {

// dst after the copy, byte by byte: every byte that the formula does not name keeps its value.
inline std::vector<uint8_t> reference_channel_copy(std::vector<uint8_t> dst,
                                                   const std::vector<uint8_t>& src,
                                                   const ChannelCopyProblem& problem) {
  const int64_t element = problem.dtype == DType::kF16 ? 2 : 4;
  for (int64_t p = 0; p < problem.pixels; ++p) {
    for (int64_t c = 0; c < problem.channels; ++c) {
      const int64_t to = (p * problem.dst_pixel_stride + problem.dst_offset + c) * element;
      const int64_t from = (p * problem.src_pixel_stride + problem.src_offset + c) * element;
      for (int64_t b = 0; b < element; ++b) {
        dst.at(static_cast<size_t>(to + b)) = src.at(static_cast<size_t>(from + b));
      }
    }
  }
  return dst;
}

// Bytes of a buffer of `pixels` with `stride` elements each, every one different from its
// neighbours and from those of another seed.
inline std::vector<uint8_t> patterned_bytes(DType dtype, int64_t pixels, int64_t stride,
                                            uint32_t seed) {
  std::vector<uint8_t> bytes(static_cast<size_t>(pixels * stride * size_bytes(dtype)));
  uint32_t state = seed;
  for (uint8_t& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(state >> 24);
  }
  return bytes;
}

// Channel counts around every vector, the widths of the YOLOv9 nets, one pixel, primes, many
// pixels; offsets and strides aligned to 1, 2, 4 and 8 elements.
inline std::vector<ChannelCopyProblem> channel_copy_problems(DType dtype) {
  std::vector<ChannelCopyProblem> problems;
  for (const int64_t pixels : {1, 7, 120, 257}) {
    for (const int64_t channels : {1, 3, 4, 7, 8, 9, 24, 60, 90, 255, 512, 521}) {
      for (const int64_t step : {1, 2, 4, 8}) {
        const int64_t room = (channels + step - 1) / step * step;
        problems.push_back({.dtype = dtype,
                            .pixels = pixels,
                            .channels = channels,
                            .dst_pixel_stride = room + 3 * step,
                            .dst_offset = 2 * step,
                            .src_pixel_stride = room + step,
                            .src_offset = step});
      }
    }
  }
  return problems;
}

// For messages.
inline std::string describe(const ChannelCopyProblem& problem) {
  return "pixels " + std::to_string(problem.pixels) + ", channels " +
         std::to_string(problem.channels) + ", dst " + std::to_string(problem.dst_offset) + " of " +
         std::to_string(problem.dst_pixel_stride) + ", src " + std::to_string(problem.src_offset) +
         " of " + std::to_string(problem.src_pixel_stride);
}

}  // namespace yolocu::testing
