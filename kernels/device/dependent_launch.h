// Programmatic dependent launch: a kernel launched with StartRule::kOverlapPrevious may begin while
// its predecessor in the stream still runs. sm_90 and later. Source: PTX ISA 9.0, 9.7.13.13.
#pragma once

#include "kernels/device/target.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {

// griddepcontrol.wait: the grids before this one have completed, and their writes are visible.
// Before it this thread may touch nothing that they write, and write nothing that they touch; nor
// may others of its block that no barrier orders after it. Every kernel of a chain calls it, in a
// thread of every block at least. Nothing happens in a launch that is not dependent.
YOLOCU_DEVICE void wait_for_prior_grids(YOLOCU_SITE_ONLY);
// griddepcontrol.launch_dependents: the next grid may begin once all blocks have called this or
// left. Its wait_for_prior_grids still waits for the end of this one.
YOLOCU_DEVICE void allow_next_grid(YOLOCU_SITE_ONLY);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/dependent_launch.cuh"
#else
#include "kernels/device/emulated/dependent_launch.h"
#endif
