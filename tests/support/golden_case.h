// Checkpoints of every dialect (WongKinYiu/yolov9 and yolov7, Ultralytics YOLOv9,
// MultimediaTechLab, plain state dictionaries) with what their own PyTorch code computes from them:
// two cases in tests/data, so that a bare clone proves parity, and all others in the optional
// reference data.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "apps/npy.h"
#include "yolocu/options.h"

namespace yolocu::testing {

// How predictions lie: [B, 4 + classes, N]; [B, N, 5 + classes] with objectness, not multiplied; or
// MultimediaTechLab's [B, N, 4 or 5 + classes], whose boxes are corners.
enum class GoldenLayout : uint8_t { kChannelsFirst, kAnchorsFirst, kCorners, kCornersObjectness };
bool has_objectness(GoldenLayout layout);

struct GoldenCase {
  std::string name;        // unique, a valid test name
  std::string folder;      // case.json and all that belongs to the case
  std::string checkpoint;  // paths of files
  std::string input;       // [B,3,H,W]
  std::string prediction;
  std::string detections;  // at confidence 0.25 and IoU 0.45; empty if there are none
  Device device = Device::kReference;
  GoldenLayout layout = GoldenLayout::kChannelsFirst;
};

// Its name: what a failing test shows.
std::ostream& operator<<(std::ostream& out, const GoldenCase& golden);

// Every case that pickles its model, on every device of this build: at least the shipped ones.
std::vector<GoldenCase> golden_cases();
// Every file of every case that has tensors only, on every device.
std::vector<GoldenCase> state_dict_cases();

// The tolerances of the reference data: 10 x the error of fp32 against fp64 in PyTorch itself.
struct Tolerance {
  double box = 0, score = 0;
  // In pixels, for a box of w x h.
  double box_at(double w, double h) const;
};
Tolerance tolerance_of(const GoldenCase& golden);

// The fraction of the case's detections that rounding noise of 2e-6 leaves as they are; nothing
// where the reference data does not say.
std::optional<double> measured_robustness(const GoldenCase& golden);

// The case's predictions as [B, N, row], boxes as cx cy w h. If the case has objectness, `row` is 5
// + classes, or 4 + classes for scores that are objectness * class.
NpyArray golden_rows(const GoldenCase& golden, int64_t row);

// The largest differences of a comparison.
struct PredictionError {
  double box = 0, score = 0;
};

// actual [B, anchors, row] against rows of that shape; fails the test at the first entry that
// differs by more than the tolerance.
PredictionError expect_predictions(const NpyArray& rows, std::span<const float> actual,
                                   const std::vector<int64_t>& shape, const Tolerance& tolerance);

// The same against golden_rows(), and prints the differences.
PredictionError expect_golden_predictions(const GoldenCase& golden, std::span<const float> actual,
                                          const std::vector<int64_t>& shape);

// [B, row, N] -> [B, N, row]
NpyArray anchors_first(const NpyArray& array);

}  // namespace yolocu::testing
