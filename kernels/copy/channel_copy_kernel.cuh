// Device code of channel_copy. Formula and arguments: channel_copy.h.
#pragma once

#include <cstdint>

namespace yolocu {

// What the kernels need of ChannelCopyProblem, in elements. dst and src point to the first channel
// of the first pixel.
struct ChannelCopyShape {
  int64_t pixels, channels;
  int64_t dst_pixel_stride, src_pixel_stride;
};

// One thread moves one element, then the element one grid further on.
// grid (ceil(pixels * channels / threads)), block (1, threads), no shared memory.
template <typename Element>
__global__ void channel_copy_naive_kernel(Element* dst, const Element* src,
                                          ChannelCopyShape shape) {
  const int64_t step = int64_t{gridDim.x} * blockDim.y;
  const int64_t count = shape.pixels * shape.channels;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.y + threadIdx.y; i < count; i += step) {
    const int64_t pixel = i / shape.channels;
    const int64_t channel = i % shape.channels;
    dst[pixel * shape.dst_pixel_stride + channel] = src[pixel * shape.src_pixel_stride + channel];
  }
}

// blockDim.x lanes move one pixel: whole vectors first, then the residue by elements.
// grid (ceil(pixels / blockDim.y)), block (lanes, pixels of the block), no shared memory.
// Every pixel starts at a multiple of sizeof(Vector) on both sides.
template <typename Vector, typename Element>
__global__ void channel_copy_vector_kernel(Element* dst, const Element* src,
                                           ChannelCopyShape shape) {
  static_assert(sizeof(Vector) % sizeof(Element) == 0, "a vector must hold whole elements");
  constexpr int64_t kElements = sizeof(Vector) / sizeof(Element);
  const int64_t vectors = shape.channels / kElements;
  const int64_t step = int64_t{gridDim.x} * blockDim.y;
  for (int64_t p = int64_t{blockIdx.x} * blockDim.y + threadIdx.y; p < shape.pixels; p += step) {
    Element* dst_pixel = dst + p * shape.dst_pixel_stride;        // [channels]
    const Element* src_pixel = src + p * shape.src_pixel_stride;  // [channels]
    for (int64_t v = threadIdx.x; v < vectors; v += blockDim.x) {
      reinterpret_cast<Vector*>(dst_pixel)[v] = reinterpret_cast<const Vector*>(src_pixel)[v];
    }
    for (int64_t c = vectors * kElements + threadIdx.x; c < shape.channels; c += blockDim.x) {
      dst_pixel[c] = src_pixel[c];
    }
  }
}

}  // namespace yolocu
