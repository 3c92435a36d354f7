// A plan in words and numbers: what `yolocu info --plan` prints.
#pragma once

#include <vector>

#include "engine/gpu/gpu_plan.h"
#include "engine/plan_step.h"

namespace yolocu::gpu {

// One entry for each launch, and one for each node without, in the order of the graph. Grids and
// names are those that the launchers themselves ask for: they are called, but nothing runs. In a
// build without the emulation a step is one entry, without a grid.
std::vector<PlanStep> describe_steps(const GpuPlan& plan);

// One step of the plan as its problem says: without a grid, and as one launch.
PlanStep describe_step(const GpuPlan& plan, const Step& step);

}  // namespace yolocu::gpu
