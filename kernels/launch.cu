#include <vector>

#include "engine/base/str_cat.h"
#include "kernels/cuda_status.h"
#include "kernels/launch.h"
#include "kernels/launch_recorder.h"

namespace yolocu {
namespace {

// Above this, CUDA wants a kernel to ask for its dynamic shared memory by an attribute first.
constexpr int64_t kSharedBytesWithoutAttribute = 48 * 1024;

StatusCode code_of(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation: return StatusCode::kResourceExhausted;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidResourceHandle: return StatusCode::kInvalidArgument;
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

// A thread's own, because a launch knows no more of its runtime than the stream.
thread_local std::vector<std::weak_ptr<LaunchRecorder>> recorders;

void tell_recorders(std::string_view name, const LaunchConfig& config) {
  std::erase_if(recorders, [](const auto& recorder) { return recorder.expired(); });
  for (const auto& weak : recorders) {
    if (const auto recorder = weak.lock()) recorder->launched(name, config);
  }
}

// The part of a LaunchConfig that CUDA takes as attributes.
struct Attributes {
  cudaLaunchAttribute list[2];
  unsigned count = 0;

  Attributes(const LaunchConfig& config, bool is_dependent) {
    const dim3 cluster = to_dim3(config.cluster);
    if (cluster.x * cluster.y * cluster.z > 1) {
      cudaLaunchAttribute& attribute = list[count++];
      attribute.id = cudaLaunchAttributeClusterDimension;
      attribute.val.clusterDim = {cluster.x, cluster.y, cluster.z};
    }
    if (is_dependent) {
      cudaLaunchAttribute& attribute = list[count++];
      attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
      attribute.val.programmaticStreamSerializationAllowed = 1;
    }
  }
};

// True if the code of the kernel that this device runs has griddepcontrol, as code for sm_90 and
// later does: a card may be newer than its code, which is made from PTX of sm_80 then, and would
// not wait.
bool has_dependent_launch(const void* function) {
  constexpr int kFirstVersion = 90;
  cudaFuncAttributes attributes{};
  const cudaError_t error = cudaFuncGetAttributes(&attributes, function);
  cudaGetLastError();  // whatever it is, the launch says it, too
  return error == cudaSuccess && attributes.ptxVersion >= kFirstVersion;
}

}  // namespace

Status cuda_status(cudaError_t error, std::string_view what, CallSite site) {
  if (error == cudaSuccess) return {};
  return {code_of(error),
          str_cat(what, ": ", cudaGetErrorName(error), ": ", cudaGetErrorString(error), " (",
                  path_in_tree(site.file), ":", site.line, ")")};
}

void record_launches_of_this_thread(const std::shared_ptr<LaunchRecorder>& recorder) {
  for (const auto& known : recorders) {
    if (known.lock() == recorder) return;
  }
  recorders.push_back(recorder);
}

inline namespace YOLOCU_TARGET {

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
  Attributes attributes(
      config, config.start == StartRule::kOverlapPrevious && has_dependent_launch(function));
  cudaLaunchConfig_t launch{};
  launch.gridDim = to_dim3(config.grid);
  launch.blockDim = to_dim3(config.block);
  launch.dynamicSmemBytes = static_cast<size_t>(config.shared_bytes);
  launch.stream = config.stream;
  launch.attrs = attributes.list;
  launch.numAttrs = attributes.count;
  const cudaError_t error = cudaLaunchKernelExC(&launch, function, arguments);
  cudaGetLastError();  // takes back the copy that CUDA would hand to an unrelated later check
  if (error == cudaSuccess) tell_recorders(name, config);
  return cuda_status(error, what, site);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
