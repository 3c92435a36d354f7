// Pixels of a tensor as TMA's im2col mode gathers them: all base pixels as a list, from the
// description in PTX ISA 9.0, 5.5.4.
#pragma once

#include <algorithm>

#include "tests/conformance/boxes.h"

namespace yolocu::conformance {

// `size` as of a BoxProblem: channels, W, H, D (as many as there are), images.
struct PixelProblem {
  std::string name = {};
  BoxProblem tensor = {};  // type, swizzle, fill, rank, size, traversal; box[0] channels; at
  int64_t pixels = 0;
  std::array<int64_t, 3> lower = {}, upper = {};
  std::array<int32_t, 3> tap = {};

  size_t spatial() const { return static_cast<size_t>(tensor.rank - 2); }
  int64_t copied_bytes() const { return pixels * tensor.row_bytes(); }
  int64_t shared_bytes() const { return (pixels * tensor.pitch_bytes() + 1023) / 1024 * 1024; }

  TensorMapSpec spec(void* address) const {
    TensorMapSpec spec = tensor.spec(address);
    spec.mode = MapMode::kIm2col;
    spec.pixels = pixels;
    spec.lower = lower;
    spec.upper = upper;
    return spec;
  }
};

// Coordinates of all base pixels, [0] unused, of as many images as the walk can come to. W is the
// fastest.
inline std::vector<std::array<int64_t, kMapMaxRank>> base_pixels(const PixelProblem& problem) {
  const auto images = static_cast<size_t>(problem.tensor.rank - 1);
  std::vector<std::array<int64_t, kMapMaxRank>> list = {{}};
  for (size_t d = images; d > 0; --d) {
    const bool of_images = d == images;
    const int64_t first = of_images ? 0 : problem.lower[d - 1];
    const int64_t last = of_images ? problem.tensor.size[d] - 1 + problem.pixels
                                   : problem.tensor.size[d] - 1 + problem.upper[d - 1];
    std::vector<std::array<int64_t, kMapMaxRank>> longer;
    for (const auto& outer : list) {
      for (int64_t at = first; at <= last; at += of_images ? 1 : problem.tensor.traversal[d]) {
        longer.push_back(outer);
        longer.back()[d] = at;
      }
    }
    list = std::move(longer);
  }
  return list;
}

// Shared memory, all of it kStale before, after the load.
inline Bytes loaded_pixels(const PixelProblem& problem, std::span<const uint8_t> input) {
  const BoxProblem& tensor = problem.tensor;
  const auto list = base_pixels(problem);
  const auto is_start = [&](const auto& pixel) {
    return std::equal(pixel.begin() + 1, pixel.end(), tensor.at.begin() + 1);
  };
  auto pixel = std::find_if(list.begin(), list.end(), is_start);
  Bytes shared(static_cast<size_t>(problem.shared_bytes()), kStale);
  for (int64_t row = 0; row < problem.pixels; ++row, ++pixel) {
    // One row is a box of one pixel, displaced by the tap.
    BoxProblem box = tensor;
    box.box = {tensor.box[0], 1, 1, 1, 1};
    for (size_t d = 1; d < kMapMaxRank; ++d) {
      const int64_t tap = d <= problem.spatial() ? problem.tap[d - 1] : 0;
      box.at[d] = static_cast<int32_t>((*pixel)[d] + tap);
    }
    box.swizzle = Swizzle::kNone;
    const Bytes bytes = loaded_box(box, input);
    for (int64_t byte = 0; byte < tensor.row_bytes(); ++byte) {
      const int64_t to = swizzled(tensor.swizzle, row * tensor.pitch_bytes() + byte);
      shared[static_cast<size_t>(to)] = bytes[static_cast<size_t>(byte)];
    }
  }
  return shared;
}

}  // namespace yolocu::conformance
