// A step of a plan with memory of its own.
#pragma once

#include "bench/kernels/kernel_case.h"

namespace yolocu::bench {

// Makes `one` the case of `work`, which a plan for `options` holds: its buffers are as large as the
// problem says, and no two are one. Texts and costs stay as they are.
void isolate(KernelCase& one, gpu::Work work, const gpu::PlanOptions& options);

}  // namespace yolocu::bench
