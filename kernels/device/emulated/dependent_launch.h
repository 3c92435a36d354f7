// dependent_launch.h on the host.
#pragma once

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

inline void wait_for_prior_grids(CallSite site) {
  emulation::wait_for_prior_grids(site);
}

inline void allow_next_grid(CallSite site) {
  emulation::allow_next_grid(site);
}

}  // namespace emulated_target
}  // namespace yolocu::device
