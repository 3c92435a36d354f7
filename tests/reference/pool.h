// Oracle of the pools, and the problems that tests run them on. Shares nothing with the kernels but
// the problem struct.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "kernels/pool/pool.h"
#include "tests/reference/typed_view.h"

namespace yolocu::testing {

// First coordinates of all windows that fit in `extent` with padding on both sides.
inline std::vector<int64_t> window_starts(int64_t extent, const PoolProblem& problem) {
  std::vector<int64_t> starts;
  for (int64_t first = -problem.padding; first + problem.window <= extent + problem.padding;
       first += problem.stride) {
    starts.push_back(first);
  }
  return starts;
}

// All numbers of channel c of picture n that the window at (row, column) covers.
inline std::vector<double> window_numbers(const TypedView& x, const PoolProblem& problem, int64_t n,
                                          int64_t row, int64_t column, int64_t c) {
  std::vector<double> numbers;
  for (int64_t h = 0; h < problem.height; ++h) {
    for (int64_t w = 0; w < problem.width; ++w) {
      const bool inside =
          h >= row && h < row + problem.window && w >= column && w < column + problem.window;
      if (inside) numbers.push_back(x.get((n * problem.height + h) * problem.width + w, c));
    }
  }
  return numbers;
}

inline double reference_pooled(const std::vector<double>& numbers, PoolKind kind) {
  double sum = 0, most = -INFINITY;
  for (const double number : numbers) {
    sum += number;
    if (std::isnan(number)) most = number;
    if (number > most) most = number;
  }
  return kind == PoolKind::kMax ? most : sum / static_cast<double>(numbers.size());
}

// y after the kernel.
inline void reference_pool(TypedView& y, const TypedView& x, const PoolProblem& problem) {
  const auto rows = window_starts(problem.height, problem);
  const auto columns = window_starts(problem.width, problem);
  int64_t pixel = 0;
  for (int64_t n = 0; n < problem.batch; ++n) {
    for (const int64_t row : rows) {
      for (const int64_t column : columns) {
        for (int64_t c = 0; c < problem.channels; ++c) {
          const auto numbers = window_numbers(x, problem, n, row, column, c);
          y.set(pixel, c, reference_pooled(numbers, problem.kind));
        }
        ++pixel;
      }
    }
  }
}

// Every window of the networks and some that are not, on pictures of one pixel, of one window,
// primes, batches of 2; channel counts around every vector; views aligned to 1, 2, 4, 8 elements.
inline std::vector<PoolProblem> pool_problems(PoolKind kind, DType dtype) {
  struct Window {
    int64_t window, stride, padding;
  };
  struct Size {
    int64_t batch, height, width;
  };
  const bool max = kind == PoolKind::kMax;
  const std::vector<Window> windows =
      max ? std::vector<Window>{{2, 2, 0}, {3, 2, 1}, {5, 1, 2}, {9, 1, 4}, {13, 1, 6}, {3, 3, 0}}
          : std::vector<Window>{{2, 1, 0}, {2, 2, 0}, {3, 1, 0}, {1, 1, 0}};
  std::vector<PoolProblem> problems;
  for (const Window& window : windows) {
    for (const Size& size : {Size{1, 1, 1}, {1, 2, 2}, {2, 5, 3}, {1, 7, 11}, {1, 4, 13}}) {
      const int64_t shorter = std::min(size.height, size.width);
      if (window.window > shorter + 2 * window.padding) continue;
      for (const int64_t channels : {1, 3, 8, 24, 85}) {
        const int64_t step = int64_t{1} << problems.size() % 4;
        problems.push_back({.kind = kind,
                            .dtype = dtype,
                            .batch = size.batch,
                            .height = size.height,
                            .width = size.width,
                            .channels = channels,
                            .window = window.window,
                            .stride = window.stride,
                            .padding = window.padding,
                            .x = roomy_view(channels, step, 1),
                            .y = roomy_view(channels, step, 2)});
      }
    }
  }
  return problems;
}

inline std::string describe(const PoolProblem& p) {
  return std::to_string(p.batch) + "x" + std::to_string(p.height) + "x" + std::to_string(p.width) +
         "x" + std::to_string(p.channels) + ", window " + std::to_string(p.window) + ", stride " +
         std::to_string(p.stride) + ", padding " + std::to_string(p.padding);
}

}  // namespace yolocu::testing
