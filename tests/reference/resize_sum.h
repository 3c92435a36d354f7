// Oracle of resize_sum, and the problems that tests run it on. Shares nothing with the kernels but
// the problem struct.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "kernels/resize/resize_sum.h"
#include "tests/reference/typed_view.h"

namespace yolocu::testing {

// The pixel of `in` cells whose interval holds the left edge of cell i of `out` cells.
inline int64_t nearest_cell(int64_t i, int64_t in, int64_t out) {
  int64_t cell = 0;
  while ((cell + 1) * out <= i * in) ++cell;
  return cell;
}

// y after the kernel; inputs [problem.count].
inline void reference_resize_sum(TypedView& y, const std::vector<TypedView>& inputs,
                                 const ResizeSumProblem& problem) {
  const int64_t area = problem.out_height * problem.out_width;
  for (int64_t pixel = 0; pixel < problem.batch * area; ++pixel) {
    const int64_t n = pixel / area, p = pixel % area / problem.out_width;
    const int64_t q = pixel % problem.out_width;
    for (int64_t c = 0; c < problem.channels; ++c) {
      float sum = -0.0f;
      for (size_t i = 0; i < inputs.size(); ++i) {
        const auto& [height, width, view] = problem.inputs[i];
        const int64_t h = nearest_cell(p, height, problem.out_height);
        const int64_t w = nearest_cell(q, width, problem.out_width);
        sum += static_cast<float>(inputs[i].get((n * height + h) * width + w, c));
      }
      y.set(pixel, c, static_cast<double>(sum));
    }
  }
}

struct ResizeExtent {
  int64_t height, width;
};

inline ResizeSumProblem resize_sum_problem(DType dtype, int64_t batch, ResizeExtent out,
                                           const std::vector<ResizeExtent>& inputs,
                                           int64_t channels, int64_t step) {
  ResizeSumProblem problem = {.dtype = dtype,
                              .batch = batch,
                              .out_height = out.height,
                              .out_width = out.width,
                              .channels = channels,
                              .count = static_cast<int64_t>(inputs.size()),
                              .y = roomy_view(channels, step, 2)};
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto before = static_cast<int64_t>(i) % 3;
    problem.inputs[i] = {inputs[i].height, inputs[i].width, roomy_view(channels, step, before)};
  }
  return problem;
}

// Upsamples, plain sums, the fusions of YOLOv9, and ratios that are no integers, up and down;
// channel counts around every vector; views aligned to 1, 2, 4 and 8 elements.
inline std::vector<ResizeSumProblem> resize_sum_problems(DType dtype) {
  struct Shape {
    int64_t batch;
    ResizeExtent out;
    std::vector<ResizeExtent> inputs;
  };
  const std::vector<Shape> shapes = {{1, {1, 1}, {{1, 1}}},
                                     {2, {6, 10}, {{3, 5}}},
                                     {1, {9, 3}, {{3, 1}}},
                                     {1, {7, 5}, {{1, 1}}},
                                     {2, {5, 7}, {{5, 7}, {5, 7}}},
                                     {1, {4, 8}, {{1, 2}, {2, 4}, {4, 8}}},
                                     {2, {8, 8}, {{1, 1}, {2, 2}, {4, 4}, {8, 8}, {8, 8}}},
                                     {1, {8, 13}, {{5, 7}, {3, 11}}},
                                     {1, {4, 5}, {{9, 11}, {4, 5}, {13, 2}, {8, 10}}}};
  std::vector<ResizeSumProblem> problems;
  for (const Shape& shape : shapes) {
    for (const int64_t channels : {1, 3, 8, 24, 85}) {
      const int64_t step = int64_t{1} << problems.size() % 4;
      problems.push_back(
          resize_sum_problem(dtype, shape.batch, shape.out, shape.inputs, channels, step));
    }
  }
  return problems;
}

inline std::string describe(const ResizeSumProblem& problem) {
  std::string text = std::to_string(problem.out_height) + "x" + std::to_string(problem.out_width) +
                     "x" + std::to_string(problem.channels) + " from";
  for (size_t i = 0; i < static_cast<size_t>(problem.count); ++i) {
    text += " " + std::to_string(problem.inputs[i].height) + "x" +
            std::to_string(problem.inputs[i].width);
  }
  return text;
}

}  // namespace yolocu::testing
