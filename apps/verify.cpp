#include "apps/verify.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "apps/console.h"
#include "engine/base/str_cat.h"
#include "engine/executor.h"

namespace yolocu {
namespace {

struct Prediction {
  std::vector<float> values;  // [anchors, row]
  int64_t row = 0;
};

Result<Prediction> predict(Model model) {
  YOLOCU_ASSIGN_OR_RETURN(const auto shapes, infer_shapes(model.spec.graph));
  const int64_t size = 2 * graph_stride(shapes);
  YOLOCU_ASSIGN_OR_RETURN(
      const auto executor,
      create_executor(std::make_shared<const Model>(std::move(model)), Device::kReference,
                      {.height = size, .width = size, .precision = Precision::kFp32}));
  std::mt19937 random(1);
  for (float& value : executor->input()) {
    value = static_cast<float>(random() >> 8) / static_cast<float>(1 << 24);
  }
  YOLOCU_RETURN_IF_ERROR(executor->run());
  const auto output = executor->output();
  return Prediction{{output.begin(), output.end()}, executor->row()};
}

// NaN is as far from everything as can be.
double distance(float a, float b) {
  const double difference = std::abs(double{a} - double{b});
  return std::isnan(difference) ? INFINITY : difference;
}

std::string scientific(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

}  // namespace

Result<FoldingError> compare_networks(Model folded, Model kept) {
  YOLOCU_ASSIGN_OR_RETURN(const Prediction a, predict(std::move(folded)));
  YOLOCU_ASSIGN_OR_RETURN(const Prediction b, predict(std::move(kept)));
  if (a.row != b.row || a.values.size() != b.values.size()) {
    return invalid_argument("the two networks predict different shapes");
  }
  FoldingError error;
  for (size_t i = 0; i < a.values.size(); ++i) {
    const size_t entry = i % static_cast<size_t>(a.row);
    const double difference = distance(a.values[i], b.values[i]);
    if (entry >= 4) {
      error.score = std::max(error.score, difference);
      continue;
    }
    const float* box = &b.values[i - entry];
    const double allowed =
        std::max(kFoldingBoxPixels, kFoldingBoxFraction * double{std::max(box[2], box[3])});
    error.box_px = std::max(error.box_px, difference);
    error.box_bound = std::max(error.box_bound, difference / allowed);
  }
  return error;
}

Result<std::string> verify_folding(const std::string& checkpoint, ConvertOptions options) {
  options.weight_dtype = DType::kF32;
  YOLOCU_ASSIGN_OR_RETURN(ConvertedModel folded, convert_checkpoint(checkpoint, options));
  options.folding = Folding::kKeep;
  YOLOCU_ASSIGN_OR_RETURN(ConvertedModel kept, convert_checkpoint(checkpoint, options));
  const auto error = compare_networks(std::move(folded.model), std::move(kept.model));
  if (!error.ok()) return error.status().with_context(checkpoint);
  const std::string text =
      str_cat("largest difference to the network before folding, fp32 on random input: box ",
              scientific(error->box_px), " px, score ", scientific(error->score));
  if (error->box_bound <= 1 && error->score <= kFoldingScore) return text;
  return corrupt(str_cat(checkpoint, ": folding is wrong: ", text, "; allowed are ",
                         fixed(kFoldingBoxPixels, 2), " px or 0.1 % of the box, and ",
                         scientific(kFoldingScore)));
}

}  // namespace yolocu
