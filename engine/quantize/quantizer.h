// Post-training quantization: pictures in, a quantized model out. README.md tells the method.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/quantize/histogram.h"
#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu::quantize {

// Fills a network input [height, width, 3] f32, RGB in 0..1, with calibration picture `index`.
using PictureLoader = std::function<Status(int64_t index, std::span<float> input)>;

// The error of predictions (PredictionError) below which no more layers are kept in floating point,
// the part of the compute that they may be, and pictures that errors are measured on: README.md has
// the figures behind them.
constexpr double kDefaultMaxError = 0.03;
constexpr double kDefaultMaxFloat = 0.1;
constexpr int64_t kDefaultErrorPictures = 8;

struct QuantizeOptions {
  Calibration calibration = Calibration::kMse;
  // Units that stay floating point, the most sensitive ones first; nullopt: as few as it takes to
  // get the error below max_error, but no more than max_float of all FLOPs.
  std::optional<int64_t> keep = {};
  double max_error = kDefaultMaxError;
  double max_float = kDefaultMaxFloat;
  int64_t error_pictures = kDefaultErrorPictures;  // of all pictures, evenly
  int64_t height = 0;                              // of the network input; 0: the model's default
  int64_t width = 0;
  int threads = 0;
};

// Values that are int8 together, and the convolutions that read them.
struct UnitReport {
  std::vector<int> convolutions;  // numbers of nodes
  double error = 0;               // of the predictions if nothing else is int8
  double flops = 0;               // of the convolutions, at the calibration's size
  bool is_int8 = false;
};

struct QuantizeReport {
  int64_t height = 0, width = 0;
  std::vector<UnitReport> units;     // the most sensitive ones first: by error for its FLOPs
  std::vector<int> fixed_in_float;   // convolutions that cannot be int8: those on the picture
  double flops = 0, int8_flops = 0;  // of all convolutions, and of the int8 ones
  double error_of_all = 0;           // with every unit int8
  double error = 0;                  // of the result
};

struct QuantizedModel {
  std::shared_ptr<const Model> model;
  QuantizeReport report;
};

// Works on the cpu device. Deterministic: the same model, pictures and options give the same model
// on the same machine.
// kInvalidArgument: no pictures, a quantized model, more units to keep than there are; nothing to
// quantize. Errors of create_executor and of the loader.
Result<QuantizedModel> quantize_model(std::shared_ptr<const Model> model, int64_t pictures,
                                      const PictureLoader& load, const QuantizeOptions& options);

}  // namespace yolocu::quantize
