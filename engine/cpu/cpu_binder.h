// From plan to work: kernels, arena, packed weights.
#pragma once

#include <vector>

#include "engine/cpu/aligned_buffer.h"
#include "engine/cpu/cpu_plan.h"
#include "engine/cpu/cpu_work.h"
#include "engine/cpu/threads.h"
#include "weights/format/model.h"

namespace yolocu::cpu {

// Owns what its work points into, but for the model: that must outlive it.
struct BoundPlan {
  std::vector<Work> work;            // one a step of the plan
  std::vector<Tensor> destinations;  // one a step: what it writes; of the last step none
  // Of each sum and operand, by position of channels; empty for floating point.
  std::vector<std::vector<std::vector<float>>> add_scales;
  AlignedBuffer arena;
  AlignedBuffer weights;
  AlignedBuffer scratch;      // of all threads
  int64_t scratch_bytes = 0;  // of one
};

// model: checked by validate_model, and the one the plan was made for. team: that the work will run
// on. other_bytes: what the caller allocates besides.
// kResourceExhausted: more memory than the machine has.
Result<BoundPlan> bind_plan(const CpuPlan& plan, const Model& model, Team& team,
                            int64_t other_bytes, ConvPolicy policy = ConvPolicy::kFastest);

}  // namespace yolocu::cpu
