// dependent_launch.h in CUDA. Before sm_90 no launch is dependent: there these do nothing, as they
// do nothing in such a launch later.
#pragma once

#include "kernels/device/cuda/architecture.cuh"

namespace yolocu::device {
inline namespace cuda_target {

YOLOCU_DEVICE void wait_for_prior_grids() {
  if constexpr (kHasSm90) asm volatile("griddepcontrol.wait;" ::: "memory");
}

YOLOCU_DEVICE void allow_next_grid() {
  if constexpr (kHasSm90) asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

}  // namespace cuda_target
}  // namespace yolocu::device
