// Objects in pictures: letterbox, network, decode, non-maximum suppression, boxes in picture
// pixels.
//
//   auto detector = yolocu::Detector::open("model.yolocu", {});
//   if (!detector.ok()) return fail(detector.status().message());
//   auto found = detector->detect({pixels, width, height, width * 3});
//
// A Detector owns its activations and is not thread-safe; make one per thread with share().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "yolocu/options.h"
#include "yolocu/status.h"

namespace yolocu {

// 8-bit RGB, rows from top to bottom; row_bytes >= 3 * width. The caller owns the pixels.
struct ImageView {
  const uint8_t* pixels = nullptr;
  int64_t width = 0;
  int64_t height = 0;
  int64_t row_bytes = 0;
};

// A box in pixels of the picture, clipped to it: x1 <= x2, y1 <= y2.
struct Detection {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  float score = 0;  // 0..1
  int64_t class_id = 0;
};

struct DetectorOptions {
  Device device = Device::kAuto;
  Precision precision = Precision::kAuto;
  int64_t height = 0;  // network input; 0: the model's default
  int64_t width = 0;
  int threads = 0;           // 0: all that this process may use
  float confidence = 0.25f;  // scores above it are kept, 0..1
  double iou = 0.45;         // a box is dropped if it overlaps a better one of its class by more
  int64_t max_detections = 300;
  std::vector<int64_t> classes = {};  // empty: all
  LaunchRecords launches =
      LaunchRecords::kDrop;  // of the cuda and emulated devices: take_launches_json()
};

class Detector {
 public:
  // Loads a packed model file. Errors name the file and the cause: kNotFound a file, or a CUDA
  // device or driver, that is not there; kCorrupt a damaged file; kUnsupported a device or
  // precision that this build or card does not have; kResourceExhausted memory.
  static Result<Detector> open(const std::string& path, const DetectorOptions& options);

  // The same for a packed file in memory; `bytes` must outlive the detector.
  static Result<Detector> from_bytes(std::span<const std::byte> bytes,
                                     const DetectorOptions& options);

  Detector(Detector&&) noexcept;
  Detector& operator=(Detector&&) noexcept;
  ~Detector();

  // Detections by descending score. kInvalidArgument for an empty or impossible picture;
  // kResourceExhausted where a picture larger than any before finds no room. Errors of a CUDA
  // device stay: every later call returns them.
  Result<std::vector<Detection>> detect(const ImageView& image);

  // Another detector with the same model and options, for another thread; this one may be detecting
  // meanwhile. On the cuda and emulated devices all of them use one copy of the weights and one
  // list of launches, take_launches_json().
  Result<Detector> share() const;

  const std::vector<std::string>& class_names() const;

  // Experimental, for profiles. With DetectorOptions::launches: the kernels launched since the last
  // call, {"launches":[{"kernel","grid","block","shared_bytes",...}]}. On cuda those of the graph
  // are told once, when it is made.
  Result<std::string> take_launches_json();

 private:
  struct State;
  explicit Detector(std::unique_ptr<State> state);
  static Result<Detector> create(std::shared_ptr<const struct Model> model,
                                 const DetectorOptions& options);
  std::unique_ptr<State> state_;
};

}  // namespace yolocu
