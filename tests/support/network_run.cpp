#include "tests/support/network_run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tests/support/test_support.h"

namespace yolocu::testing {

void fill_input(std::span<float> nhwc, const NpyArray& nchw) {
  const auto batch = static_cast<size_t>(nchw.shape[0]);
  const auto pixels = static_cast<size_t>(nchw.shape[2] * nchw.shape[3]);
  for (size_t b = 0; b < batch; ++b) {
    for (size_t c = 0; c < 3; ++c) {
      for (size_t i = 0; i < pixels; ++i) {
        nhwc[(b * pixels + i) * 3 + c] = nchw.values[(b * 3 + c) * pixels + i];
      }
    }
  }
}

std::unique_ptr<Executor> run_model(Model model, const NpyArray& input, Device device) {
  auto executor = create_executor(std::make_shared<const Model>(std::move(model)), device,
                                  {.batch = input.shape[0],
                                   .height = input.shape[2],
                                   .width = input.shape[3],
                                   .precision = Precision::kFp32});
  if (!executor.ok()) {
    ADD_FAILURE() << executor.status().message();
    return nullptr;
  }
  fill_input((*executor)->input(), input);
  const Status status = (*executor)->run();
  EXPECT_TRUE(status.ok()) << status.message();
  return std::move(*executor);
}

std::unique_ptr<Executor> run_checkpoint(const std::string& path, const std::string& architecture,
                                         const NpyArray& input, Device device) {
  ConvertOptions options;
  options.weight_dtype = DType::kF32;
  options.architecture = architecture;
  auto converted = convert_checkpoint(path, options);
  if (!converted.ok()) {
    ADD_FAILURE() << converted.status().message();
    return nullptr;
  }
  return run_model(std::move(converted->model), input, device);
}

PredictionError expect_predictions(const Executor& executor, const NpyArray& rows,
                                   const Tolerance& tolerance) {
  PredictionError worst;
  const std::vector<int64_t> shape{executor.batch(), executor.anchors(), executor.row()};
  EXPECT_EQ(rows.shape, shape);
  if (rows.shape != shape) return worst;
  const auto row = static_cast<size_t>(shape[2]);
  for (size_t at = 0; at < rows.values.size(); ++at) {
    const size_t entry = at % row;
    const float* expected = &rows.values[at - entry];
    const double error = std::abs(double{executor.output()[at]} - rows.values[at]);
    const double allowed = entry < 4 ? tolerance.box_at(expected[2], expected[3]) : tolerance.score;
    double& largest = entry < 4 ? worst.box : worst.score;
    largest = std::max(largest, error);
    if (error <= allowed) continue;
    ADD_FAILURE() << "prediction " << at / row << " entry " << entry << ": "
                  << executor.output()[at] << ", expected " << rows.values[at] << " +- " << allowed;
    return worst;
  }
  return worst;
}

NpyArray anchors_first(const NpyArray& array) {
  const auto row = static_cast<size_t>(array.shape[1]);
  const auto anchors = static_cast<size_t>(array.shape[2]);
  NpyArray turned{{array.shape[0], array.shape[2], array.shape[1]}, {}};
  for (size_t i = 0; i < array.values.size(); ++i) {
    const size_t b = i / (anchors * row), a = i / row % anchors;
    turned.values.push_back(array.values[(b * row + i % row) * anchors + a]);
  }
  return turned;
}

NpyArray corners_to_centres(NpyArray rows) {
  const auto row = static_cast<size_t>(rows.shape[2]);
  for (size_t at = 0; at < rows.values.size(); at += row) {
    float* box = &rows.values[at];
    const float x1 = box[0], y1 = box[1], x2 = box[2], y2 = box[3];
    box[0] = (x1 + x2) / 2;
    box[1] = (y1 + y2) / 2;
    box[2] = x2 - x1;
    box[3] = y2 - y1;
  }
  return rows;
}

}  // namespace yolocu::testing
