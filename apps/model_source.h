// Models as the program's commands name them, and what people want to know about one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "weights/format/model.h"
#include "yolocu/detector.h"
#include "yolocu/status.h"

namespace yolocu {

// "embedded model" for an empty path, else the path: how messages name a model.
std::string model_label(const std::string& path);

// The packed file at `path`, or the model inside the program if it is empty.
Result<std::shared_ptr<const Model>> open_model(const std::string& path);

// A detector of that model.
Result<Detector> open_detector(const std::string& path, const DetectorOptions& options);

// `error` of opening `path` as a packed file. If the file is a PyTorch checkpoint, says instead how
// to convert it; if `path` is empty, names the embedded model.
Status explain_open_error(const std::string& path, const Status& error);

struct ModelSummary {
  int64_t layers = 0;  // nodes of the graph but the input
  int64_t convolutions = 0;
  int64_t parameters = 0;    // elements of all weights and biases
  std::string weight_types;  // of the convolutions' weights: "F16", "F16, F32"
};

// `model` has been validated (validate_model), as every opened or converted one has.
ModelSummary summarize(const Model& model);

// "1.03 M", "870 k", "12".
std::string quantity(int64_t count);

}  // namespace yolocu
