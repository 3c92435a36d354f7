#include <utility>

#include "engine/base/str_cat.h"
#include "engine/gpu/gpu_model.h"
#include "engine/processors.h"
#if YOLOCU_HAS_EMULATION
#include "kernels/emulation/runtime.h"
#endif

namespace yolocu::gpu {
namespace {

Result<GpuDevice> open_cuda() {
  Result<std::unique_ptr<DeviceRuntime>> created = cuda_runtime();
  if (!created.ok()) {
    const Status status = created.status();
    return Status(status.code(), status.message() + "; --device cpu needs no GPU");
  }
  std::unique_ptr<DeviceRuntime> runtime = std::move(*created);
  YOLOCU_RETURN_IF_ERROR(check_gpu(runtime->info()));
  return GpuDevice{std::move(runtime), &cuda_kernels()};
}

#if YOLOCU_HAS_EMULATION
Result<GpuDevice> open_emulated(const GpuDeviceOptions& options) {
  emulation::EmulationOptions emulated;
  emulated.workers = choose_threads(options.workers);
  if (options.launches == LaunchRecords::kKeep) emulated.counting = emulation::Counting::kRequests;
  return GpuDevice{std::make_shared<emulation::EmulatedRuntime>(emulated), &emulated_kernels()};
}
#else
Result<GpuDevice> open_emulated(const GpuDeviceOptions&) {
  return unsupported("this build has no emulated device; use --device cpu or reference");
}
#endif

Result<GpuDevice> open(Device device, const GpuDeviceOptions& options) {
  if (device == Device::kCuda) return open_cuda();
  if (device == Device::kEmulated) return open_emulated(options);
  return invalid_argument(str_cat("device ", device_name(device), " is no GPU"));
}

}  // namespace

Status check_gpu(const DeviceInfo& info) {
  if (info.compute_major >= kLeastComputeMajor) return {};
  return unsupported(str_cat(info.name, ": expected compute capability ", kLeastComputeMajor,
                             ".0 or later, got ", info.compute_major, ".", info.compute_minor,
                             "; use --device cpu"));
}

DeviceInfo planning_device() {
#if YOLOCU_HAS_EMULATION
  return emulation::emulated_device_info();
#else
  const ConvDevice device;
  return {.name = "a card of sm_80",
          .compute_major = kLeastComputeMajor,
          .multiprocessors = device.multiprocessors,
          .shared_bytes_per_block = device.shared_bytes_per_block};
#endif
}

Result<GpuDevice> open_gpu_device(Device device, const GpuDeviceOptions& options) {
  YOLOCU_ASSIGN_OR_RETURN(GpuDevice opened, open(device, options));
  opened.log = options.launches == LaunchRecords::kKeep ? LaunchLog::kOn : LaunchLog::kOff;
  YOLOCU_RETURN_IF_ERROR(opened.runtime->log_launches(opened.log));
  return opened;
}

}  // namespace yolocu::gpu
