// Records of launches, for tests and profiles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/emulation/counters.h"
#include "kernels/launch.h"

namespace yolocu {

enum class LaunchLog : uint8_t { kOff, kOn };

struct LaunchRecord {
  std::string kernel;
  Extent3 grid, block, cluster;
  int64_t shared_bytes = 0;
  std::optional<emulation::Counters> counters = {};  // emulated device only
};

inline LaunchRecord launch_record(std::string_view kernel, const LaunchConfig& config) {
  return {std::string(kernel), config.grid, config.block, config.cluster, config.shared_bytes};
}

}  // namespace yolocu
