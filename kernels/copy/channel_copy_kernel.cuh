// Device code of channel_copy. Formula and arguments: channel_copy.h.
#pragma once

#include <cstdint>

#include "kernels/device/memory.h"
#include "kernels/device/threads.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// What the kernels need of ChannelCopyProblem, in elements. dst and src point to the first channel
// of the first pixel.
struct ChannelCopyShape {
  int64_t pixels, channels;
  int64_t dst_pixel_stride, src_pixel_stride;
};

// One thread moves one element, then the element one grid further on.
// grid (ceil(pixels * channels / threads)), block (1, threads), no shared memory.
template <typename Element>
YOLOCU_KERNEL channel_copy_naive_kernel(device::GlobalPtr<Element> dst,
                                        device::GlobalPtr<const Element> src,
                                        ChannelCopyShape shape) {
  const int64_t threads = device::block_extent().y;
  const int64_t step = device::grid_extent().x * threads;
  const int64_t count = shape.pixels * shape.channels;
  int64_t i = device::block_index().x * threads + device::thread_index().y;
  for (; i < count; i += step) {
    const int64_t pixel = i / shape.channels;
    const int64_t channel = i % shape.channels;
    dst.store(pixel * shape.dst_pixel_stride + channel,
              src.load(pixel * shape.src_pixel_stride + channel));
  }
}

// block_extent().x lanes move one pixel: whole vectors first, then the residue by elements.
// grid (ceil(pixels / block_extent().y)), block (lanes, pixels of the block), no shared memory.
// Every pixel starts at a multiple of sizeof(Vector) on both sides.
template <typename Vector, typename Element>
YOLOCU_KERNEL channel_copy_vector_kernel(device::GlobalPtr<Element> dst,
                                         device::GlobalPtr<const Element> src,
                                         ChannelCopyShape shape) {
  static_assert(sizeof(Vector) % sizeof(Element) == 0, "a vector must hold whole elements");
  constexpr int64_t kElements = sizeof(Vector) / sizeof(Element);
  const int64_t vectors = shape.channels / kElements;
  const int64_t lanes = device::block_extent().x, lane = device::thread_index().x;
  const int64_t pixels = device::block_extent().y;  // of one block
  const int64_t step = device::grid_extent().x * pixels;
  int64_t p = device::block_index().x * pixels + device::thread_index().y;
  for (; p < shape.pixels; p += step) {
    const auto dst_pixel = dst + p * shape.dst_pixel_stride;  // [channels]
    const auto src_pixel = src + p * shape.src_pixel_stride;  // [channels]
    for (int64_t v = lane; v < vectors; v += lanes) {
      dst_pixel.template store<Vector>(v * kElements,
                                       src_pixel.template load<Vector>(v * kElements));
    }
    for (int64_t c = vectors * kElements + lane; c < shape.channels; c += lanes) {
      dst_pixel.store(c, src_pixel.load(c));
    }
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
