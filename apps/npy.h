// NumPy's .npy files of numbers: the door through which others check our numbers.
// Format: NEP 1, versions 1.0 to 3.0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "yolocu/status.h"

namespace yolocu {

struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<float> values;  // row-major
};

// Reads little-endian '<f4', '<f2' or '<f8' in C order; others are kUnsupported by name.
// Errors start with the path.
Result<NpyArray> read_npy(const std::string& path);

// Writes '<f4' in C order, version 1.0.
Status write_npy(const std::string& path, std::span<const int64_t> shape,
                 std::span<const float> values);

}  // namespace yolocu
