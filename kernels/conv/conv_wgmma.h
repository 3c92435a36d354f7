// The launch of the variants on wgmma, which conv() passes on.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/device/target.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// Arguments that conv() has checked. Errors: those of launch().
Status launch_conv_wgmma(const ConvTensors& tensors, const ConvProblem& problem,
                         const ConvChoice& choice, const LaunchConfig& config);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
