#include "kernels/emulation/launch.h"

#include <algorithm>
#include <thread>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/worker.h"

namespace yolocu::emulation {
namespace {

// Stacks take two memory mappings each, and Linux allows a process 65,530.
constexpr size_t kMostThreads = 24576;  // resident, of all workers

Index3 to_index(const Extent3& extent) {
  return {static_cast<uint32_t>(extent.x), static_cast<uint32_t>(extent.y),
          static_cast<uint32_t>(extent.z)};
}

size_t residents_of_each(const Launch& launch, uint64_t workers) {
  const auto wanted = static_cast<size_t>(std::max(launch.options.resident_blocks, 1));
  return std::clamp<size_t>(kMostThreads / workers / Cluster::thread_count(launch), 1, wanted);
}

// What depends on the device, unlike check_launch_limits.
Status check_device_limits(std::string_view name, const LaunchConfig& config, int capability) {
  const int major = capability / 10, minor = capability % 10;
  const int64_t shared_limit = shared_bytes_limit(major, minor);
  const std::string device = str_cat(", and the emulated device is sm_", capability);
  if (config.shared_bytes > shared_limit) {
    return invalid_argument(str_cat("kernel ", name, ": expected at most ", shared_limit,
                                    " bytes of shared memory, got ", config.shared_bytes, device));
  }
  const int64_t blocks = config.cluster.x * config.cluster.y * config.cluster.z;
  if (major >= 12 && blocks > 1) {
    return unsupported(str_cat("kernel ", name, ": GeForce cards have no clusters", device));
  }
  if (major >= 9) return {};
  if (blocks > 1) {
    return unsupported(str_cat("kernel ", name, ": clusters need sm_90", device));
  }
  return {};
}

// Code of sm_80 to sm_89 has no wait, and is never started early.
StartRule start_rule(const LaunchConfig& config, int capability) {
  return capability < 90 ? StartRule::kAfterPrevious : config.start;
}

LaunchShape shape_of(const Launch& launch) {
  return {.kernel = std::string(launch.name),
          .grid = launch.grid,
          .block = launch.block,
          .cluster = launch.cluster,
          .start = launch.start};
}

}  // namespace

Status EmulatedDevice::run(std::string_view name, const LaunchConfig& config,
                           std::function<void()> kernel) {
  YOLOCU_RETURN_IF_ERROR(check_launch_limits(name, config));
  YOLOCU_RETURN_IF_ERROR(check_device_limits(name, config, options_.compute_capability));
  LaunchState state;
  Launch launch{.name = name,
                .grid = to_index(config.grid),
                .block = to_index(config.block),
                .cluster = to_index(config.cluster),
                .shared_bytes = static_cast<uint32_t>(config.shared_bytes),
                .options = options_,
                .memory = &memory_,
                .epoch = {},
                .kernel = std::move(kernel),
                .start = start_rule(config, options_.compute_capability),
                .state = &state};
  const uint64_t clusters = volume(clusters_of(launch));
  if (clusters > UINT32_MAX) {
    return unsupported(
        str_cat("kernel ", name, ": the emulation takes at most 2^32 clusters, got ", clusters));
  }
  const uint64_t workers = std::min(static_cast<uint64_t>(std::max(options_.workers, 1)), clusters);
  launch.epoch =
      memory_.begin_launch(shape_of(launch), workers > 1 ? GlobalShadow::Sharing::kManyHostThreads
                                                         : GlobalShadow::Sharing::kOneHostThread);
  while (stacks_.size() < workers) stacks_.push_back(std::make_unique<StackPool>());
  LaunchWork work(launch, workers, residents_of_each(launch, workers));
  const auto run_worker = [&work, this](uint64_t i) {
    Worker(work, *stacks_[i], options_.seed + i).run();
  };
  {
    std::vector<std::jthread> others;
    for (uint64_t i = 1; i < workers; ++i) others.emplace_back(run_worker, i);
    run_worker(0);
  }
  memory_.end_launch();
  counters_ = work.counters();
  return work.status();
}

}  // namespace yolocu::emulation
