// Records of launches as JSON.
#pragma once

#include <span>
#include <string>

#include "kernels/launch_log.h"

namespace yolocu {

// {"launches":[{"kernel":"conv_...","grid":[x,y,z],"block":[x,y,z],"shared_bytes":n,...}]}, a line
// each. Of the emulated device also "tensor_flops" (of matrix instructions, two a multiply-add),
// "sectors" (of 32 bytes, that the requests for global memory touch), "bank_conflicts" (passes over
// shared memory beyond those that the requests need), "bytes_read" and "bytes_written" (of global
// memory, copies by cp.async and TMA included).
std::string launches_json(std::span<const LaunchRecord> launches);

}  // namespace yolocu
