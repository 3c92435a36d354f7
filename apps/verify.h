// Whether folding changed what a network computes: `convert --verify`.
#pragma once

#include <string>

#include "weights/format/model.h"
#include "weights/import/convert.h"
#include "yolocu/status.h"

namespace yolocu {

// The largest differences between two predictions.
struct FoldingError {
  double box_px = 0;     // of a centre or size, pixels of the network input
  double score = 0;      // of an objectness or class
  double box_bound = 0;  // the largest box_px / allowed difference of that box; over 1: too much
};

// Boxes may differ by 0.05 pixels or 0.1 % of their size, whichever is more; scores by 0.001. The
// worst of the reference data's random networks, which amplify rounding most, needs a third of it.
constexpr double kFoldingBoxPixels = 0.05, kFoldingBoxFraction = 1e-3, kFoldingScore = 1e-3;

// Runs both on the same random picture of twice the network's stride, on the reference device, in
// fp32. kInvalidArgument if their predictions have different shapes.
Result<FoldingError> compare_networks(Model folded, Model kept);

// Converts `checkpoint` twice with fp32 weights, folded and not, and compares. One line of text;
// kCorrupt, with the same figures, if they differ by more than the bounds.
Result<std::string> verify_folding(const std::string& checkpoint, ConvertOptions options);

}  // namespace yolocu
