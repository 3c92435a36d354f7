#include <cuda_runtime_api.h>

#include "engine/base/str_cat.h"
#include "kernels/cuda_status.h"
#include "kernels/device_query.h"

namespace yolocu {
namespace {

// "13.0" of 13000
std::string version_text(int version) {
  return str_cat(version / 1000, ".", version % 1000 / 10);
}

Result<int64_t> attribute(int ordinal, cudaDeviceAttr which) {
  int value = 0;
  YOLOCU_RETURN_IF_ERROR(
      cuda_status(cudaDeviceGetAttribute(&value, which, ordinal), "CUDA device attribute"));
  return int64_t{value};
}

#if defined(YOLOCU_HAS_SM90A)
constexpr bool kHasSm90aCode = true;
#else
constexpr bool kHasSm90aCode = false;
#endif

Result<DeviceInfo> query_device(int ordinal) {
  cudaDeviceProp properties{};
  YOLOCU_RETURN_IF_ERROR(
      cuda_status(cudaGetDeviceProperties(&properties, ordinal), str_cat("CUDA device ", ordinal)));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t shared_bytes,
                          attribute(ordinal, cudaDevAttrMaxSharedMemoryPerBlockOptin));
  return DeviceInfo{.ordinal = ordinal,
                    .name = properties.name,
                    .compute_major = properties.major,
                    .compute_minor = properties.minor,
                    .multiprocessors = properties.multiProcessorCount,
                    .memory_bytes = static_cast<int64_t>(properties.totalGlobalMem),
                    .shared_bytes_per_block = shared_bytes,
                    .has_wgmma =
                        kHasSm90aCode && properties.major == 9 && properties.minor == 0};
}

Status check_driver(const DeviceList& list) {
  if (list.driver_version == 0) return not_found("CUDA devices: no NVIDIA driver is installed");
  if (list.driver_version / 1000 >= list.runtime_version / 1000) return {};
  return not_found(str_cat("CUDA devices: the driver supports CUDA ",
                           version_text(list.driver_version), ", and this program needs ",
                           list.runtime_version / 1000, ".0 or later: update the driver"));
}

}  // namespace

Result<DeviceList> query_devices() {
  DeviceList list;
  YOLOCU_RETURN_IF_ERROR(
      cuda_status(cudaRuntimeGetVersion(&list.runtime_version), "CUDA runtime version"));
  YOLOCU_RETURN_IF_ERROR(
      cuda_status(cudaDriverGetVersion(&list.driver_version), "CUDA driver version"));
  YOLOCU_RETURN_IF_ERROR(check_driver(list));
  int count = 0;
  YOLOCU_RETURN_IF_ERROR(cuda_status(cudaGetDeviceCount(&count), "CUDA devices"));
  if (count == 0) return not_found("CUDA devices: the driver sees none");
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    YOLOCU_ASSIGN_OR_RETURN(DeviceInfo info, query_device(ordinal));
    list.devices.push_back(std::move(info));
  }
  return list;
}

}  // namespace yolocu
