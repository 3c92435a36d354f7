// The cases and features of CUDA, in a build without it.
#include "tests/conformance/code_features.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {

namespace cuda_target {

Cases all_cases() {
  return {};
}

}  // namespace cuda_target

Result<CodeFeatures> query_code_features(DeviceRuntime&) {
  return unsupported("the build has no CUDA");
}

}  // namespace yolocu::conformance
