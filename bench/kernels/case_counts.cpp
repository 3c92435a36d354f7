#include "bench/kernels/case_counts.h"

#include <algorithm>

#include "bench/kernels/case_memory.h"
#include "kernels/launch_log.h"

namespace yolocu::bench {
namespace {

int64_t threads(const Extent3& grid, const Extent3& block) {
  const auto volume = [](const Extent3& e) { return int64_t{e.x} * e.y * e.z; };
  return volume(grid) * volume(block);
}

}  // namespace

Result<CaseCounts> count_case(const gpu::GpuDevice& device, const KernelCase& one) {
  DeviceRuntime& runtime = *device.runtime;
  YOLOCU_ASSIGN_OR_RETURN(const CaseMemory memory, CaseMemory::create(device, one, 1));
  YOLOCU_ASSIGN_OR_RETURN(const OwnedStream stream, make_stream(runtime));
  static_cast<void>(runtime.take_launches());
  YOLOCU_RETURN_IF_ERROR(memory.enqueue(0, stream.get()));
  YOLOCU_RETURN_IF_ERROR(runtime.synchronize_stream(stream.get()));
  CaseCounts counts;
  for (const LaunchRecord& launch : runtime.take_launches()) {
    ++counts.launches;
    if (threads(launch.grid, launch.block) >= threads(counts.grid, counts.block)) {
      counts.grid = launch.grid;
      counts.block = launch.block;
    }
    counts.shared_bytes = std::max(counts.shared_bytes, launch.shared_bytes);
    if (launch.counters) counts.counters.add(*launch.counters);
  }
  return counts;
}

}  // namespace yolocu::bench
