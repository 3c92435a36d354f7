// Comparison of outputs. Each function returns "" if they agree, else where they first do not.
#pragma once

#include <span>
#include <string>

#include "tests/conformance/case.h"

namespace yolocu::conformance {

// "differs at byte 12 (of 64, 3 differ): 0x1f, expected 0x20"
std::string difference(std::span<const uint8_t> actual, std::span<const uint8_t> expected);

// Against what the case says: difference(), or float by float
//   !(|actual - expected| <= tolerance)  ->  "differs at float 3: 0.5, expected 0.25 +- 0.001"
// where infinity agrees with the same infinity only.
std::string difference(std::span<const uint8_t> actual, const Expectation& expected);

// The outputs of two devices: bytes must be equal; floats may be twice the tolerance apart, as each
// may be one away from the exact value.
std::string difference_between(std::span<const uint8_t> actual, std::span<const uint8_t> other,
                               const std::vector<double>& tolerance);

}  // namespace yolocu::conformance
