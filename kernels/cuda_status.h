// CUDA's error codes as Status. Included only where CUDA's headers are.
#pragma once

#include <cuda_runtime_api.h>

#include <string_view>

#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu {

// ok for cudaSuccess; otherwise kResourceExhausted (memory), kInvalidArgument (value or handle),
// kNotFound (no device or driver), kUnsupported (no code for this device) or kUnavailable, with the
// message "<what>: cudaErrorName: CUDA's text (file:line)".
Status cuda_status(cudaError_t error, std::string_view what, CallSite site = CallSite::current());

}  // namespace yolocu
