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

Status check_cluster(std::string_view kernel, const Extent3& cluster, const Extent3& grid) {
  constexpr int64_t kMostBlocks = 8;  // more are not portable between devices
  YOLOCU_RETURN_IF_ERROR(check_range(kernel, "cluster.x", cluster.x, {1, kMostBlocks}));
  YOLOCU_RETURN_IF_ERROR(check_range(kernel, "cluster.y", cluster.y, {1, kMostBlocks}));
  YOLOCU_RETURN_IF_ERROR(check_range(kernel, "cluster.z", cluster.z, {1, kMostBlocks}));
  YOLOCU_RETURN_IF_ERROR(check_range(kernel, "blocks of a cluster",
                                     cluster.x * cluster.y * cluster.z, {1, kMostBlocks}));
  if (grid.x % cluster.x == 0 && grid.y % cluster.y == 0 && grid.z % cluster.z == 0) return {};
  const int64_t blocks[] = {grid.x, grid.y, grid.z};
  const int64_t each[] = {cluster.x, cluster.y, cluster.z};
  return invalid_argument(str_cat("kernel ", kernel, ": expected a grid of whole clusters ",
                                  shape_text(each), ", got ", shape_text(blocks)));
}

}  // namespace

int64_t shared_bytes_limit(int compute_major, int compute_minor) {
  constexpr int64_t kKiB = 1024;
  switch (100 * compute_major + compute_minor) {
    case 800:
    case 807: return 163 * kKiB;
    case 806:
    case 809:
    case 1200:
    case 1201: return 99 * kKiB;
    case 900:
    case 1000:
    case 1003: return 227 * kKiB;
    default: return 48 * kKiB;
  }
}

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
  YOLOCU_RETURN_IF_ERROR(check_cluster(name, config.cluster, grid));
  return check_range(name, "bytes of shared memory", config.shared_bytes, {0, 227 * 1024});
}

}  // namespace yolocu
