// Head outputs of a model on an emulated device.
#pragma once

#include <memory>
#include <vector>

#include "engine/gpu/gpu_context.h"
#include "kernels/emulation/runtime.h"
#include "tests/engine/test_model.h"

namespace yolocu::testing {

// What the tests of this folder run on: the emulated device, or CUDA's first one where the
// environment variable YOLOCU_TEST_DEVICE is "cuda".
Device tested_device();

struct TestDevice {
  uint64_t seed = 1;  // draws every order that is open; of the emulated device, all checks on
  int64_t multiprocessors = 132;
  int64_t memory_bytes = int64_t{4} << 30;
};

// Fails the test, and gives a device without a runtime, where there is no card.
gpu::GpuDevice make_device(const TestDevice& options = {});

// Runs the plan for one picture of height x width, `picture` [height, width, 3], twice, and fails
// the test if that gives different bits. All of the arena is NaN before: what a launch does not
// write must not matter.
Heads run_gpu(const std::shared_ptr<const Model>& model, DType dtype, int64_t height, int64_t width,
              const std::vector<float>& picture, const TestDevice& device = {});

}  // namespace yolocu::testing
