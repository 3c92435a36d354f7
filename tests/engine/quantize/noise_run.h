// Networks on made-up pictures, and how far two of them are apart.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/executor.h"

namespace yolocu::quantize {

constexpr int64_t kSize = 32;  // height and width of the pictures

// Picture `index`: the same numbers in 0..1 each time.
Status load_noise(int64_t index, std::span<float> input);

// Of picture 7, or of a batch of it; options but height and width.
std::vector<float> predictions(const std::shared_ptr<const Model>& model, Device device,
                               ExecutorOptions options);

// PredictionError::relative_error() of b beside a.
double difference(const Model& model, const std::vector<float>& a, const std::vector<float>& b);

}  // namespace yolocu::quantize
