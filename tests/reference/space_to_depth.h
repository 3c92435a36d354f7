// Oracle of space_to_depth, and the problems that tests run it on. Shares nothing with the kernels
// but the problem struct.
#pragma once

#include <string>
#include <vector>

#include "kernels/space_to_depth/space_to_depth.h"
#include "tests/reference/typed_view.h"

namespace yolocu::testing {

// y after the kernel: cat(x[::2, ::2], x[1::2, ::2], x[::2, 1::2], x[1::2, 1::2]) over channels,
// then zeros.
inline void reference_space_to_depth(TypedView& y, const TypedView& x,
                                     const SpaceToDepthProblem& problem) {
  struct Corner {
    int64_t row, column;
  };
  int64_t first = 0;
  for (const Corner& corner : {Corner{0, 0}, {1, 0}, {0, 1}, {1, 1}}) {
    int64_t pixel = 0;
    for (int64_t n = 0; n < problem.batch; ++n) {
      for (int64_t h = corner.row; h < problem.height; h += 2) {
        for (int64_t w = corner.column; w < problem.width; w += 2, ++pixel) {
          for (int64_t c = 0; c < problem.channels; ++c) {
            y.set(pixel, first + c, x.get((n * problem.height + h) * problem.width + w, c));
          }
        }
      }
    }
    first += problem.channels;
  }
  for (int64_t c = first; c < first + problem.padding; ++c) {
    for (int64_t pixel = 0; pixel < problem.batch * problem.height * problem.width / 4; ++pixel) {
      y.set(pixel, c, 0.0f);
    }
  }
}

// One block, primes of blocks, batches; channel counts around every vector; views aligned to 1, 4
// and 8 elements.
inline std::vector<SpaceToDepthProblem> space_to_depth_problems(DType dtype) {
  struct Size {
    int64_t batch, height, width;
  };
  std::vector<SpaceToDepthProblem> problems;
  for (const Size& size : {Size{1, 2, 2}, {2, 6, 10}, {3, 2, 14}, {1, 26, 4}}) {
    for (const int64_t channels : {1, 3, 4, 8, 24, 85}) {
      for (const int64_t step : {1, 4, 8}) {
        const int64_t padding = size.batch == 2 ? step : 0;
        problems.push_back({.dtype = dtype,
                            .batch = size.batch,
                            .height = size.height,
                            .width = size.width,
                            .channels = channels,
                            .padding = padding,
                            .x = roomy_view(channels, step, 1),
                            .y = roomy_view(4 * channels + padding, step, 2)});
      }
    }
  }
  return problems;
}

inline std::string describe(const SpaceToDepthProblem& p) {
  return std::to_string(p.batch) + "x" + std::to_string(p.height) + "x" + std::to_string(p.width) +
         "x" + std::to_string(p.channels);
}

}  // namespace yolocu::testing
