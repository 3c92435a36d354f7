// One pooling as its kernels see it: a picture in blocks of channels (tensor.h), source and
// destination of the same element.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/cpu/kernels/elements.h"

namespace yolocu::cpu {

// kMax: padding never wins. kAverage: without padding.
enum class PoolKind : uint8_t { kMax, kAverage };

struct PoolShape {
  Element element = Element::kF32;
  PoolKind kind = PoolKind::kMax;
  int64_t channels = 0, in_height = 0, in_width = 0, out_height = 0, out_width = 0;
  int64_t kernel = 1, stride = 1, padding = 0;
};

struct PoolTask {
  PoolShape shape;
  std::byte* destination = nullptr;
  const std::byte* source = nullptr;

  int64_t chunks(int64_t lanes) const { return shape.channels / lanes * shape.out_height; }
  // That each thread needs: a row of vectors.
  int64_t scratch_bytes(int64_t lanes) const { return shape.in_width * lanes * 4; }
};

// y = sum of sources from left to right, each in an element of its own, as is y.
struct AddTask {
  struct Source {
    const std::byte* data = nullptr;
    Element element = Element::kF32;
    const float* scale = nullptr;  // [channels], of int8
  };
  std::byte* destination = nullptr;
  Element element = Element::kF32;
  float inverse_output_scale = 1.0f;  // of an int8 destination
  std::vector<Source> sources;
  int64_t channels = 0, pixels = 0;
};

}  // namespace yolocu::cpu
