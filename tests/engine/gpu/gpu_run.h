// Head outputs of a model on an emulated device.
#pragma once

#include <memory>
#include <vector>

#include "engine/gpu/gpu_context.h"
#include "kernels/emulation/runtime.h"
#include "tests/engine/test_model.h"

namespace yolocu::testing {

// An emulated device with all checks on, whose seed draws every order that is open.
inline gpu::GpuDevice emulated_device(uint64_t seed = 1) {
  return {std::make_shared<emulation::EmulatedRuntime>(emulation::EmulationOptions{.seed = seed}),
          &emulated_kernels()};
}

// Runs the plan for pictures of height x width on `picture` [height, width, 3]. All of the arena is
// NaN before: what a launch does not write must not matter.
Heads run_gpu(const std::shared_ptr<const Model>& model, DType dtype, int64_t height, int64_t width,
              const std::vector<float>& picture, uint64_t seed = 1);

}  // namespace yolocu::testing
