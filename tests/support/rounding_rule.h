// How far a device that computes in fp16 may be off: what rounding to fp16 does in PyTorch,
// times 3.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "apps/npy.h"

namespace yolocu::testing {

// Differences in units of those that rounding to fp16 makes.
struct RoundingQuotients {
  double box_mean = 0, box_p99 = 0, score_mean = 0, score_p99 = 0;
};

// actual against rows [B, N, row], of which the first four entries are the box: the mean and the
// 99th percentile of the differences are at most 3 times those that `errors` has measured for an
// emulation of fp16 ("fp16_emulation_box", "fp16_emulation_score"); never the largest, which random
// networks amplify. Prints the quotients after `name`.
RoundingQuotients expect_half_predictions(const std::string& name, const NpyArray& rows,
                                          std::span<const float> actual,
                                          const nlohmann::json& errors);

}  // namespace yolocu::testing
