// The end of a plan: decoding, and suppression where detections are wanted.
#pragma once

#include <vector>

#include "engine/gpu/gpu_plan.h"
#include "engine/gpu/plan_buffers.h"

namespace yolocu::gpu {

// Adds the steps of decode node `node` to the plan: predictions, or candidates and detections as
// plan.options.detections wants them. kUnsupported: a head that the kernels cannot decode.
Status plan_head(GpuPlan& plan, int node, PlanBuffers& buffers,
                 const std::vector<ChannelLayout>& layouts);

}  // namespace yolocu::gpu
