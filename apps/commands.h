// The subcommands, a file each. Every function prints its own results and errors and returns the
// exit code (console.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/arguments.h"
#include "engine/quantize/quantizer.h"
#include "yolocu/detector.h"

namespace yolocu {

// Whether JPEG files that are large for the network are decoded smaller (read_reduced_image).
enum class JpegDecoding : uint8_t { kWhole, kReduced };

// Objects in pictures: tables, a JSON document, annotated copies.
struct DetectArguments {
  std::string model;        // empty: the embedded one
  DetectorOptions options;  // but for height, width and classes
  InputSize size;
  std::string classes;  // as typed; empty: all
  std::string json;     // a file, "-" for stdout, empty for none
  JpegDecoding jpeg = JpegDecoding::kWhole;
  std::string out;                  // folder of annotated pictures; empty: none
  std::string counters;             // file of launch records; empty: none
  std::vector<std::string> inputs;  // files, folders, globs
};
int detect_command(const DetectArguments& arguments);

// Whether `convert` compares the folded network with the one that the file describes (verify.h).
enum class Verification : uint8_t { kOff, kOn };

// A checkpoint, or an architecture with made-up weights, into a packed file.
struct ConvertArguments {
  std::string checkpoint;
  std::string output;
  DType dtype = DType::kF16;
  int64_t size = 640;  // the model's default input size
  HeadBranch branch = HeadBranch::kMain;
  std::string architecture;  // of a state dictionary, or of what `seed` fills; empty: guessed
  std::optional<int64_t> seed = {};  // of made-up weights; then there is no checkpoint
  Verification verification = Verification::kOff;
};
int convert_command(const ConvertArguments& arguments);

enum class LayerTable : uint8_t { kHide, kShow };
enum class PlanTable : uint8_t { kHide, kShow };

// What a packed file holds.
struct InfoArguments {
  std::string model;  // empty: the embedded one
  InputSize size;     // for GFLOPs and shapes
  LayerTable layers = LayerTable::kHide;
  PlanTable plan = PlanTable::kHide;
  Device device = Device::kAuto;  // of the plan; kAuto: cuda, whether there is one or not
  Precision precision = Precision::kAuto;
  int64_t batch = 1;
};
int info_command(const InfoArguments& arguments);

// A tensor through the network.
struct RunArguments {
  std::string model;
  std::string input;   // .npy, [B,3,H,W] RGB in 0..1
  std::string output;  // .npy, [B, anchors, 4 + classes]
  Device device = Device::kAuto;
  Precision precision = Precision::kAuto;  // kAuto: fp32 on the host's devices, for checks
  int threads = 0;
  std::string counters;  // file of launch records; empty: none
};
int run_command(const RunArguments& arguments);

// A packed file with int8 convolutions of one without.
struct QuantizeArguments {
  std::string model;
  std::string output;
  std::vector<std::string> images;  // files, folders, globs
  quantize::Calibration calibration = quantize::Calibration::kMse;
  std::optional<int64_t> keep;  // groups of layers in floating point; none: by max_error
  double max_error = quantize::kDefaultMaxError;
  double max_float = quantize::kDefaultMaxFloat;  // of the FLOPs
  int64_t error_pictures = quantize::kDefaultErrorPictures;
  int64_t limit = 200;  // pictures
  InputSize size;
  int threads = 0;
  std::string json;  // a file, "-" for stdout, empty for none
};
int quantize_command(const QuantizeArguments& arguments);

// A packed file as an ONNX file.
struct ExportOnnxArguments {
  std::string model;
  std::string output;
  int64_t batch = 1;
  InputSize size;
};
int export_onnx_command(const ExportOnnxArguments& arguments);

// Whether pictures are timed beside the network.
enum class PictureTimes : uint8_t { kTake, kSkip };

// How long a network takes, and pictures from pixels to boxes.
struct BenchArguments {
  std::string model;         // empty: the embedded one
  std::string architecture;  // or a model of this name with made-up weights
  Device device = Device::kAuto;
  Precision precision = Precision::kAuto;
  int64_t batch = 1;
  InputSize size;
  int threads = 0;
  int64_t iterations = 0;         // 0: as many as fit 3 s, at least 20 (1 on slow devices)
  std::optional<int64_t> warmup;  // default: 3, none on slow devices
  std::string image;              // file of the picture; empty: noise in memory
  PictureTimes pictures = PictureTimes::kTake;
  std::string json;      // a file, "-" for stdout, empty for none
  std::string counters;  // file of launch records; empty: none
  bool layers = false;   // every step of the network on the cpu device, too
};
int bench_command(const BenchArguments& arguments);

}  // namespace yolocu
