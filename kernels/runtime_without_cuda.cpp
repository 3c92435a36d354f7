#include "kernels/runtime.h"

namespace yolocu {

Result<std::unique_ptr<DeviceRuntime>> cuda_runtime(int) {
  return query_devices().status();
}

}  // namespace yolocu
