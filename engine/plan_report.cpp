#include "engine/plan_report.h"

#include <utility>

#include "engine/base/guard.h"
#include "engine/base/str_cat.h"
#include "engine/gpu/gpu_model.h"
#include "engine/gpu/plan_report.h"
#include "kernels/device_query.h"

namespace yolocu {
namespace {

Result<PlanReport> report_gpu_plan(const Model& model, Device device, ExecutorOptions options) {
  YOLOCU_RETURN_IF_ERROR(resolve_size(model, device, options));
  YOLOCU_ASSIGN_OR_RETURN(const DType dtype, gpu::gpu_dtype(options.precision));
  const Result<DeviceList> list = query_devices();
  const bool has_card = device == Device::kCuda && list.ok();
  const DeviceInfo info = has_card ? list->devices.front() : gpu::planning_device();
  YOLOCU_ASSIGN_OR_RETURN(const gpu::GpuPlan plan,
                          gpu::make_gpu_plan(model.spec, {.dtype = dtype,
                                                          .batch = options.batch,
                                                          .height = options.height,
                                                          .width = options.width,
                                                          .device = gpu::conv_device(info),
                                                          .detections = gpu::DetectionRule()}));
  PlanReport report{.device = str_cat(info.name, ", ", info.multiprocessors, " multiprocessors"),
                    .steps = gpu::describe_steps(plan),
                    .arena_bytes = plan.arena.size_bytes,
                    .arena_bound_bytes = plan.arena.lower_bound_bytes};
  for (const PlanStep& step : report.steps) {
    report.launches += step.launches;
    report.moved_bytes += step.bytes;
    report.flops += step.flops;
  }
  return report;
}

Result<PlanReport> report(std::shared_ptr<const Model> model, Device device,
                          const ExecutorOptions& options) {
  if (device == Device::kCuda || device == Device::kEmulated) {
    return report_gpu_plan(*model, device, options);
  }
  YOLOCU_ASSIGN_OR_RETURN(const auto executor, create_executor(std::move(model), device, options));
  return PlanReport{.device = std::string(device_name(resolve_device(device))),
                    .steps = executor->plan(),
                    .arena_bytes = executor->arena_bytes()};
}

}  // namespace

Result<PlanReport> report_plan(std::shared_ptr<const Model> model, Device device,
                               const ExecutorOptions& options) {
  return guarded([&] { return report(std::move(model), device, options); });
}

}  // namespace yolocu
