#include "kernels/device_query.h"

namespace yolocu {

Result<DeviceList> query_devices() {
  return unsupported("CUDA devices: this program was built without CUDA");
}

}  // namespace yolocu
