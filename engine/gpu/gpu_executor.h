// Executors on the cuda and emulated devices.
#pragma once

#include <memory>

#include "engine/executor.h"
#include "engine/gpu/gpu_context.h"

namespace yolocu::gpu {

// A context that takes input tensors and gives predictions. height and width are not 0; a size that
// check_input_size allows. Errors of GpuModel::plan and GpuContext::create.
Result<std::unique_ptr<Executor>> create_gpu_executor(std::shared_ptr<GpuModel> model,
                                                      const ExecutorOptions& options);

}  // namespace yolocu::gpu
