// Checkpoints that pickle their model (WongKinYiu/yolov9 and yolov7, Ultralytics YOLOv9) with what
// their own PyTorch code computes from them: two cases in tests/data, so that a bare clone proves
// parity, and all others in the optional reference data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apps/npy.h"
#include "yolocu/options.h"

namespace yolocu::testing {

// How pred.npy lies: [B, 4 + classes, N], or [B, N, 5 + classes] with objectness, not multiplied.
enum class GoldenLayout : uint8_t { kChannelsFirst, kAnchorsFirst };

struct GoldenCase {
  std::string name;    // unique, a valid test name
  std::string folder;  // case.json, ckpt.pt, pred.npy, det_c25_i45.npy
  std::string input;   // path of the [B,3,H,W] tensor
  Device device = Device::kReference;
  GoldenLayout layout = GoldenLayout::kChannelsFirst;
};

// Every case on every device of this build. Plain state dictionaries, which have no module tree,
// are left out. At least the shipped ones.
std::vector<GoldenCase> golden_cases();

// The tolerances of the reference data: 10 x the error of fp32 against fp64 in PyTorch itself.
struct Tolerance {
  double box = 0, score = 0;
  // In pixels, for a box of w x h.
  double box_at(double w, double h) const;
};
Tolerance tolerance_of(const GoldenCase& golden);

// True if rounding noise alone does not change which detections the case has.
bool has_robust_detections(const GoldenCase& golden);

// actual [B, anchors, row] against pred.npy; fails the test at the first entry that differs by more
// than the tolerance, and prints the largest difference. For kAnchorsFirst `row` is 5 + classes, or
// 4 + classes if the scores are already objectness * class.
void expect_golden_predictions(const GoldenCase& golden, std::span<const float> actual,
                               const std::vector<int64_t>& shape);

}  // namespace yolocu::testing
