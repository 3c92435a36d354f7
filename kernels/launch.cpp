// The host part of launches, compiled with and without CUDA.
#include "kernels/launch.h"

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

struct Range {
  int64_t lowest, highest;
};

Status check_range(std::string_view kernel, std::string_view what, int64_t value, Range range) {
  if (value >= range.lowest && value <= range.highest) return {};
  return invalid_argument(str_cat("kernel ", kernel, ": expected ", what, " in ", range.lowest,
                                  "..", range.highest, ", got ", value));
}

}  // namespace

Status check_launch_limits(std::string_view name, const LaunchConfig& config) {
  const Extent3& grid = config.grid;
  const Extent3& block = config.block;
  YOLOCU_RETURN_IF_ERROR(check_range(name, "grid.x", grid.x, {1, INT32_MAX}));
  YOLOCU_RETURN_IF_ERROR(check_range(name, "grid.y", grid.y, {1, 65535}));
  YOLOCU_RETURN_IF_ERROR(check_range(name, "grid.z", grid.z, {1, 65535}));
  YOLOCU_RETURN_IF_ERROR(check_range(name, "block.x", block.x, {1, 1024}));
  YOLOCU_RETURN_IF_ERROR(check_range(name, "block.y", block.y, {1, 1024}));
  YOLOCU_RETURN_IF_ERROR(check_range(name, "block.z", block.z, {1, 64}));
  const int64_t threads = block.x * block.y * block.z;  // the extents are small by now
  YOLOCU_RETURN_IF_ERROR(check_range(name, "threads of a block", threads, {1, 1024}));
  return check_range(name, "bytes of shared memory", config.shared_bytes, {0, 227 * 1024});
}

}  // namespace yolocu
