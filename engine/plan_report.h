// A whole plan in words and numbers: what `yolocu info --plan` prints.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "engine/plan_step.h"
#include "weights/format/model.h"
#include "yolocu/options.h"
#include "yolocu/status.h"

namespace yolocu {

struct PlanReport {
  std::string device;             // what it is planned for: "H100, 132 multiprocessors"
  std::vector<PlanStep> steps;    // in order of execution
  int64_t arena_bytes = 0;        // of feature maps
  int64_t arena_bound_bytes = 0;  // most bytes that are alive at once: no arena can be smaller
  // Of the cuda and emulated devices only.
  int64_t launches = 0;
  int64_t moved_bytes = 0;  // operands and results of all launches
  double flops = 0;         // of convolutions
};

// kCuda and kEmulated: from pictures to detections, made without a device: for the first CUDA
// device of this machine, or else for the one that is emulated. kCpu and kReference: the network,
// planned by an executor. Errors of create_executor.
Result<PlanReport> report_plan(std::shared_ptr<const Model> model, Device device,
                               const ExecutorOptions& options);

}  // namespace yolocu
