// A strided view into a storage's bytes, gathered into dense fp32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/dtype.h"
#include "yolocu/status.h"

namespace yolocu {

// Element (i_0, ..., i_n) lies at offset + sum_d i_d * strides[d]; all in elements.
struct StridedView {
  int64_t offset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

// Number of elements of the view. kCorrupt if a size, stride or the offset is negative, the sizes
// overflow, there are more than 16 dimensions, or an element lies past `storage_elements`.
Result<int64_t> check_view(const StridedView& view, int64_t storage_elements);

// The elements of a checked view, row-major. `storage` holds little-endian elements of `dtype`.
std::vector<float> gather(const StridedView& view, DType dtype, std::span<const std::byte> storage);

}  // namespace yolocu
