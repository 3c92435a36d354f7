// From plan to work: kernels, arena, packed weights.
#pragma once

#include <vector>

#include "engine/cpu/aligned_buffer.h"
#include "engine/cpu/cpu_plan.h"
#include "engine/cpu/cpu_work.h"
#include "engine/cpu/onednn.h"
#include "weights/format/model.h"

namespace yolocu::cpu {

// Owns what its work points into, but for the model: that must outlive it.
struct BoundPlan {
  std::vector<Work> work;            // one a step of the plan
  std::vector<Tensor> destinations;  // one a step: what it writes; of the last step none
  AlignedBuffer arena;
  AlignedBuffer weights;
};

// model: checked by validate_model, and the one the plan was made for. other_bytes: what the caller
// allocates besides. Call it with the threads set that the work will run on.
// kResourceExhausted: more memory than the machine has.
Result<BoundPlan> bind_plan(const CpuPlan& plan, const Model& model, OneDnn& library,
                            int64_t other_bytes);

}  // namespace yolocu::cpu
