// A model on a GPU: its weights in device memory, and the plans made for it so far.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

#include "engine/gpu/enqueue.h"
#include "engine/gpu/gpu_plan.h"
#include "kernels/kernel_table.h"
#include "kernels/runtime.h"
#include "weights/format/model.h"
#include "yolocu/options.h"

namespace yolocu::gpu {

// The oldest compute capability is this .0.
constexpr int kLeastComputeMajor = 8;

// A device and the kernels for it. `kernels` are those of the runtime's target.
struct GpuDevice {
  std::shared_ptr<DeviceRuntime> runtime;
  const KernelTable* kernels = nullptr;
  LaunchLog log = LaunchLog::kOff;
};

struct GpuDeviceOptions {
  LaunchRecords launches = LaunchRecords::kDrop;
  int workers = 0;  // host threads of the emulated device; 0: all that this process may use
};

// kCuda: CUDA's first device. kEmulated: a new one. kUnsupported: not in this build, or older than
// sm_80 (says which card); kNotFound: no driver, one that is too old, or no card.
Result<GpuDevice> open_gpu_device(Device device, const GpuDeviceOptions& options);

// kUnsupported for a card older than sm_80; the message names it.
Status check_gpu(const DeviceInfo& info);

// What plans are made for where no card is: the emulated device.
DeviceInfo planning_device();

// kAuto: fp16. kUnsupported for int8.
Result<DType> gpu_dtype(Precision precision);

// What selection asks of a device.
ConvDevice conv_device(const DeviceInfo& info);

// Shared by any number of contexts, from any threads: it never changes but for the plans it keeps.
class GpuModel {
 public:
  // Packs and uploads all weights as `dtype` and waits for it. kResourceExhausted without room on
  // the device; errors of pack_weights, naming the tensor. `model` has been validated.
  static Result<std::shared_ptr<GpuModel>> create(std::shared_ptr<const Model> model,
                                                  GpuDevice device, DType dtype);

  const Model& model() const { return *model_; }
  const ModelSpec& spec() const { return model_->spec; }
  DeviceRuntime& runtime() const { return *device_.runtime; }
  const KernelTable& kernels() const { return *device_.kernels; }
  LaunchLog log() const { return device_.log; }
  std::span<const ConvWeights> weights() const { return weights_; }

  // The plan for an input tensor of this batch and size, made once. Errors of make_gpu_plan.
  Result<std::shared_ptr<const GpuPlan>> plan(int64_t batch, int64_t height, int64_t width,
                                              InputLifetime input = InputLifetime::kUntilRead);
  // The same for pictures and a rule, made anew: contexts that want it share the pointer.
  Result<std::shared_ptr<const GpuPlan>> plan(int64_t batch, int64_t height, int64_t width,
                                              const DetectionRule& rule) const;

 private:
  GpuModel() = default;
  Status upload_weights();
  PlanOptions plan_options(int64_t batch, int64_t height, int64_t width) const;

  std::shared_ptr<const Model> model_;
  GpuDevice device_;
  DType dtype_ = DType::kF16;
  std::vector<ConvWeights> weights_;  // by node
  DeviceMemory memory_;

  std::mutex mutex_;  // guards plans_
  std::map<std::tuple<int64_t, int64_t, int64_t, InputLifetime>, std::shared_ptr<const GpuPlan>>
      plans_;
};

}  // namespace yolocu::gpu
