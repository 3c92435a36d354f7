// A checkpoint through conversion and a device, and what comes out against what should.
#pragma once

#include <memory>
#include <string>

#include "apps/npy.h"
#include "engine/executor.h"
#include "tests/support/golden_case.h"
#include "weights/import/convert.h"

namespace yolocu::testing {

// Plans `model` for the input [B,3,H,W] in fp32 on `device` and runs it; nothing if a step failed,
// which fails the test.
std::unique_ptr<Executor> run_model(Model model, const NpyArray& input, Device device);

// Converts `path` with fp32 weights and runs it; nothing on failure.
std::unique_ptr<Executor> run_checkpoint(const std::string& path, const std::string& architecture,
                                         const NpyArray& input, Device device);

struct PredictionError {
  double box = 0, score = 0;  // largest differences
};

// The output of a run against rows [B, N, row]; fails the test at the first entry that differs by
// more than the tolerance.
PredictionError expect_predictions(const Executor& executor, const NpyArray& rows,
                                   const Tolerance& tolerance);

// [B, row, N] -> [B, N, row]
NpyArray anchors_first(const NpyArray& array);

// Rows [B, N, row] that begin with x1 y1 x2 y2, as cx cy w h.
NpyArray corners_to_centres(NpyArray rows);

// [B,3,H,W] -> [B,H,W,3]
void fill_input(std::span<float> nhwc, const NpyArray& nchw);

}  // namespace yolocu::testing
