#include "tests/engine/quantize/noise_run.h"

#include <algorithm>

#include "engine/quantize/prediction_error.h"
#include "tests/engine/test_graphs.h"

namespace yolocu::quantize {

Status load_noise(int64_t index, std::span<float> input) {
  const auto noise = testing::random_floats(input.size(), 100 + static_cast<uint64_t>(index));
  std::transform(noise.begin(), noise.end(), input.begin(), [](float x) { return (x + 1) / 2; });
  return {};
}

std::vector<float> predictions(const std::shared_ptr<const Model>& model, Device device,
                               ExecutorOptions options) {
  options.height = options.width = kSize;
  const auto executor = create_executor(model, device, options);
  EXPECT_OK(executor);
  if (!executor.ok()) return {};
  EXPECT_OK(load_noise(7, (*executor)->input()));
  EXPECT_OK((*executor)->run());
  const auto output = (*executor)->output();
  return {output.begin(), output.end()};
}

double difference(const Model& model, const std::vector<float>& a, const std::vector<float>& b) {
  const auto shapes = infer_shapes(model.spec.graph);
  PredictionError error;
  error.add(a, b, model.spec.graph.nodes.back().op, shapes->back().channels);
  return error.relative_error();
}

}  // namespace yolocu::quantize
