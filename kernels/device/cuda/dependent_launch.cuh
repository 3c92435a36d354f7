// dependent_launch.h in CUDA. Code for architectures before sm_90 has none of it, and launch() makes
// no launch of such code a dependent one, whatever the card.
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
