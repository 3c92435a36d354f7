// What the emulated device counts in the launches of a case.
#pragma once

#include <cstdint>

#include "bench/kernels/kernel_case.h"
#include "engine/gpu/gpu_model.h"

namespace yolocu::bench {

struct CaseCounts {
  int64_t launches = 0;
  Extent3 grid, block;       // of the launch with the most threads
  int64_t shared_bytes = 0;  // of a block, the most of all launches
  emulation::Counters counters;
};

// Runs the case once. The device is an emulated one that keeps records of launches. Errors of the
// kernel: whatever the emulated device found.
Result<CaseCounts> count_case(const gpu::GpuDevice& device, const KernelCase& one);

}  // namespace yolocu::bench
