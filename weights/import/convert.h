// From a checkpoint file to a model: reader -> module tree -> lowering -> passes -> model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/dtype.h"
#include "weights/format/model.h"
#include "weights/import/folding.h"
#include "weights/import/head_branch.h"
#include "yolocu/status.h"

namespace yolocu {

struct ConvertOptions {
  DType weight_dtype = DType::kF16;  // kF16 or kF32; biases are always fp32
  int64_t input_size = 640;
  HeadBranch branch = HeadBranch::kMain;
  Folding folding = Folding::kFold;  // kKeep: to compare with
  // For a file without modules: the name of its architecture (arch/architecture.h); empty: guessed.
  std::string architecture = {};
};

// What conversion did, for `yolocu convert` to print.
struct ConvertReport {
  std::string dialect;  // "yolov9", "ultralytics", "yolov9 state dictionary"
  std::string head;     // what the predictions come from: "DualDDetect (cv4, cv5)"
  int64_t folded_batch_norms = 0;
  int64_t fused_rep_convs = 0;
  int64_t folded_implicit = 0;  // levels of a YOLOv7 head with implicit knowledge
  int64_t dropped_nodes = 0;    // not needed by the predictions
};

struct ConvertedModel {
  Model model;
  ConvertReport report;
};

// Errors start with the path and name the module concerned. kUnsupported if the auxiliary branch is
// asked of a head that has none. The architecture of an auxiliary conversion says so.
Result<ConvertedModel> convert_checkpoint(const std::string& path, const ConvertOptions& options);

// A model of options.architecture (arch/architecture.h) with 80 classes and made-up weights
// (arch/synthetic.h): something to measure with. kInvalidArgument: a name that is not known.
Result<ConvertedModel> make_synthetic_model(uint64_t seed, const ConvertOptions& options);

}  // namespace yolocu
