#include "engine/base/str_cat.h"
#include "kernels/cuda_status.h"
#include "kernels/launch.h"

namespace yolocu {
namespace {

// Above this, CUDA wants a kernel to ask for its dynamic shared memory by an attribute first.
constexpr int64_t kSharedBytesWithoutAttribute = 48 * 1024;

StatusCode code_of(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation: return StatusCode::kResourceExhausted;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInsufficientDriver: return StatusCode::kNotFound;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorUnsupportedPtxVersion: return StatusCode::kUnsupported;
    default: return StatusCode::kUnavailable;
  }
}

// The path within the source tree, wherever that was when it was compiled.
std::string_view path_in_tree(std::string_view file) {
  constexpr std::string_view kThisFile = __FILE__;
  constexpr std::string_view kThisPath = "kernels/launch.cu";
  constexpr std::string_view kRoot = kThisFile.substr(0, kThisFile.size() - kThisPath.size());
  return file.substr(file.starts_with(kRoot) ? kRoot.size() : 0);
}

dim3 to_dim3(const Extent3& extent) {
  return {static_cast<unsigned>(extent.x), static_cast<unsigned>(extent.y),
          static_cast<unsigned>(extent.z)};
}

}  // namespace

Status cuda_status(cudaError_t error, std::string_view what, CallSite site) {
  if (error == cudaSuccess) return {};
  return {code_of(error),
          str_cat(what, ": ", cudaGetErrorName(error), ": ", cudaGetErrorString(error), " (",
                  path_in_tree(site.file), ":", site.line, ")")};
}

Status launch_untyped(std::string_view name, CallSite site, const LaunchConfig& config,
                      const void* function, void** arguments) {
  YOLOCU_RETURN_IF_ERROR(check_launch_limits(name, config));
  const std::string what = str_cat("kernel ", name);
  if (config.shared_bytes > kSharedBytesWithoutAttribute) {
    YOLOCU_RETURN_IF_ERROR(
        cuda_status(cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                         static_cast<int>(config.shared_bytes)),
                    what, site));
  }
  const cudaError_t error =
      cudaLaunchKernel(function, to_dim3(config.grid), to_dim3(config.block), arguments,
                       static_cast<size_t>(config.shared_bytes), config.stream);
  cudaGetLastError();  // takes back the copy that CUDA would hand to an unrelated later check
  return cuda_status(error, what, site);
}

}  // namespace yolocu
