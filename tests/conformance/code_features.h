// What the code that a CUDA device runs was compiled for: a later card may run the translation of
// an older architecture's code, whose newer primitives trap.
#pragma once

#include "kernels/runtime.h"
#include "tests/conformance/case.h"

namespace yolocu::conformance {

struct CodeFeatures {
  int32_t architecture;  // 900 for sm_90 and sm_90a
  int32_t has_sm89, has_sm90, has_multicast, has_wgmma;
};

// Runs a kernel on the device. Errors: kUnsupported without CUDA, and those of the device.
Result<CodeFeatures> query_code_features(DeviceRuntime& runtime);

// Whether that is enough for a case.
bool has(const CodeFeatures& features, Needs needs);

}  // namespace yolocu::conformance
