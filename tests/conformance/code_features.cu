#include "kernels/device/fence.h"  // with cuda/architecture.cuh
#include "kernels/device/memory.h"
#include "kernels/launch.h"
#include "tests/conformance/code_features.h"

namespace yolocu::conformance {
namespace {

YOLOCU_KERNEL tell_features(device::GlobalPtr<int32_t> out) {
  out.store(0, int32_t{device::kArchitecture});
  out.store(1, device::kHasSm89 ? 1 : 0);
  out.store(2, device::kHasSm90 ? 1 : 0);
  out.store(3, device::kHasMulticast ? 1 : 0);
  out.store(4, device::kHasWgmma ? 1 : 0);
}

}  // namespace

Result<CodeFeatures> query_code_features(DeviceRuntime& runtime) {
  CodeFeatures features{};
  YOLOCU_ASSIGN_OR_RETURN(const OwnedStream stream, make_stream(runtime));
  YOLOCU_ASSIGN_OR_RETURN(const DeviceMemory memory,
                          DeviceMemory::create(runtime, sizeof(features), "features"));
  YOLOCU_RETURN_IF_ERROR(launch(named_kernel("tell_features", tell_features),
                                {.stream = stream.get()},
                                device::GlobalPtr(memory.data<int32_t>())));
  YOLOCU_RETURN_IF_ERROR(
      runtime.download(&features, memory.data(), sizeof(features), stream.get()));
  YOLOCU_RETURN_IF_ERROR(runtime.synchronize_stream(stream.get()));
  return features;
}

}  // namespace yolocu::conformance
