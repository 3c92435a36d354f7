// From a checkpoint file to a model: reader -> module tree -> lowering -> passes -> model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/dtype.h"
#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu {

struct ConvertOptions {
  DType weight_dtype = DType::kF16;  // kF16 or kF32; biases are always fp32
  int64_t input_size = 640;
};

// What conversion did, for `yolocu convert` to print.
struct ConvertReport {
  std::string dialect;  // "yolov9"
  int64_t folded_batch_norms = 0;
  int64_t fused_rep_convs = 0;
  int64_t dropped_nodes = 0;  // not needed by the main prediction
};

struct ConvertedModel {
  Model model;
  ConvertReport report;
};

// Errors start with the path and name the module concerned.
Result<ConvertedModel> convert_checkpoint(const std::string& path, const ConvertOptions& options);

}  // namespace yolocu
