#include "engine/quantize/prediction_error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace yolocu::quantize {
namespace {

double error_of(const std::vector<float>& before, const std::vector<float>& after, const Op& decode,
                int64_t row) {
  PredictionError error;
  error.add(before, after, decode, row);
  return error.relative_error();
}

const Op kDfl = DecodeDflOp{.classes = 2};
const Op kAnchor = DecodeAnchorOp{.classes = 1};

TEST(PredictionError, IsZeroForTheSame) {
  const std::vector<float> p = {5, 5, 2, 2, 0.5f, 0.1f};
  EXPECT_EQ(error_of(p, p, kDfl, 6), 0);
  EXPECT_EQ(error_of({}, {}, kDfl, 6), 0);
}

TEST(PredictionError, OfScores) {
  // 0.5 (0.5 - 0.25) + 0.5 (0.5 - 0) over 0.5^2
  EXPECT_DOUBLE_EQ(error_of({5, 5, 2, 2, 0.5f, 0}, {5, 5, 2, 2, 0.25f, 0.5f}, kDfl, 6), 1.5);
  // Objectness 1/2, class 1/2 to 1: 0.5 (0.5 - 0.25) over 0.25^2
  EXPECT_DOUBLE_EQ(error_of({5, 5, 2, 2, 0.5f, 0.5f}, {5, 5, 2, 2, 0.5f, 1}, kAnchor, 6), 2);
}

TEST(PredictionError, OfBoxes) {
  // Moved by half its width: IoU 1/3. The second anchor has no score, and is nowhere.
  EXPECT_NEAR(error_of({5, 5, 2, 2, 0.5f, 0, 5, 5, 2, 2, 0, 0},
                       {6, 5, 2, 2, 0.5f, 0, 99, 5, 2, 2, 0, 0}, kDfl, 6),
              2.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(error_of({5, 5, 2, 2, 0.5f, 0}, {9, 5, 2, 2, 0.5f, 0}, kDfl, 6), 1);
}

TEST(PredictionError, NaNIsInfinitelyWrong) {
  EXPECT_EQ(error_of({5, 5, 2, 2, 0.5f, 0}, {5, 5, 2, 2, NAN, 0}, kDfl, 6), INFINITY);
  EXPECT_EQ(error_of({5, 5, 2, 2, 0.5f, 0}, {NAN, 5, 2, 2, 0.5f, 0}, kDfl, 6), INFINITY);
}

}  // namespace
}  // namespace yolocu::quantize
