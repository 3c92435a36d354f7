// Cases as benchmarks of Google Benchmark.
#pragma once

#include <vector>

#include "bench/kernels/kernel_case.h"
#include "engine/gpu/gpu_model.h"

namespace yolocu::bench {

// Times on a CUDA device; beside every plain product, one of cublasLt if the build has it. The
// device and the cases live until all benchmarks have run.
void register_timings(const gpu::GpuDevice& device, const std::vector<KernelCase>& cases);

// Counts on the emulated device, which keeps records of launches.
void register_counts(const gpu::GpuDevice& device, const std::vector<KernelCase>& cases);

}  // namespace yolocu::bench
