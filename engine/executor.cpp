#include "engine/executor.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "engine/base/guard.h"
#include "engine/base/str_cat.h"
#include "engine/cpu/kernels/kernel_table.h"
#include "engine/gpu/gpu_executor.h"
#include "engine/memory_limit.h"
#include "kernels/device_query.h"
#include "weights/format/quantization.h"

namespace yolocu {
namespace {

// Larger batches are mistakes; below, no product of extents overflows int64_t.
constexpr int64_t kMaxBatch = 65536;

Status check_options(const ExecutorOptions& options) {
  if (options.batch < 1) {
    return invalid_argument(str_cat("batch ", options.batch, " is not positive"));
  }
  if (options.batch > kMaxBatch) {
    return resource_exhausted(
        str_cat("batch ", options.batch, " is above the limit of ", kMaxBatch));
  }
  if (options.threads < 0) {
    return invalid_argument(str_cat("threads ", options.threads, " is negative"));
  }
  return {};
}

// Elements of the feature maps of one picture: all of them, as the reference device keeps, and the
// largest, which no device can do without. No overflow: at most 65536 values of 2^56 elements.
struct FeatureMapElements {
  double all = 0, largest = 0;
};

FeatureMapElements feature_map_elements(const std::vector<ValueShape>& shapes,
                                        const ExecutorOptions& options) {
  FeatureMapElements elements;
  for (const ValueShape& shape : shapes) {
    if (shape.kind != ValueShape::Kind::kFeatureMap) continue;
    const auto count = static_cast<double>(shape.channels * shape.extent.at(options.height) *
                                           shape.extent.at(options.width));
    elements.all += count;
    elements.largest = std::max(elements.largest, count);
  }
  return elements;
}

// A device may need more, and checks its own plan; this keeps plans of absurd sizes from being
// made.
double least_bytes(const std::vector<ValueShape>& shapes, Device device,
                   const ExecutorOptions& options) {
  const FeatureMapElements elements = feature_map_elements(shapes, options);
  const auto batch = static_cast<double>(options.batch);
  return device == Device::kReference ? elements.all * batch * 4 : elements.largest * 2;
}

// What every device holds for the whole batch: fp32 pictures and predictions.
double batch_bytes(const Graph& graph, const std::vector<ValueShape>& shapes,
                   const ExecutorOptions& options) {
  const auto rows =
      static_cast<double>(prediction_count(graph, shapes, options.height, options.width));
  const auto pixels = static_cast<double>(options.height * options.width);
  return static_cast<double>(options.batch) * 4 *
         (rows * static_cast<double>(shapes.back().channels) +
          pixels * static_cast<double>(shapes[0].channels));
}

using Clock = std::chrono::steady_clock;

}  // namespace

// The input is undefined after a run, so that each one gets it anew; that is not timed.
Result<std::vector<double>> Executor::time_runs(int64_t warmup, int64_t iterations) {
  const std::vector<float> kept(input().begin(), input().end());
  std::vector<double> times;
  for (int64_t i = 0; i < warmup + iterations; ++i) {
    std::copy(kept.begin(), kept.end(), input().begin());
    const Clock::time_point start = Clock::now();
    YOLOCU_RETURN_IF_ERROR(run());
    const std::chrono::duration<double, std::milli> time = Clock::now() - start;
    if (i >= warmup) times.push_back(time.count());
  }
  return times;
}

Result<std::vector<StepTime>> Executor::time_steps(int64_t, int64_t) {
  return unsupported("only the cpu device times single layers; use --device cpu");
}

Status resolve_size(const Model& model, Device device, ExecutorOptions& options) {
  YOLOCU_RETURN_IF_ERROR(validate_model(model));
  const Graph& graph = model.spec.graph;
  YOLOCU_ASSIGN_OR_RETURN(const std::vector<ValueShape> shapes, infer_shapes(graph));
  if (options.height == 0) options.height = model.spec.input_size;
  if (options.width == 0) options.width = model.spec.input_size;
  YOLOCU_RETURN_IF_ERROR(check_options(options));
  YOLOCU_RETURN_IF_ERROR(check_input_size(shapes, options.height, options.width));
  return check_memory(least_bytes(shapes, device, options) + batch_bytes(graph, shapes, options));
}

namespace {

Result<std::unique_ptr<Executor>> create_on_gpu(std::shared_ptr<const Model> model, Device device,
                                                const ExecutorOptions& options) {
  YOLOCU_ASSIGN_OR_RETURN(const DType dtype, gpu::gpu_dtype(options.precision));
  YOLOCU_ASSIGN_OR_RETURN(
      gpu::GpuDevice opened,
      gpu::open_gpu_device(device, {.launches = options.launches, .workers = options.threads}));
  YOLOCU_ASSIGN_OR_RETURN(auto loaded,
                          gpu::GpuModel::create(std::move(model), std::move(opened), dtype));
  return gpu::create_gpu_executor(std::move(loaded), options);
}

Status check_int8(const Model& model, Precision precision) {
  if (precision != Precision::kInt8 || is_quantized(model.spec.graph)) return {};
  return invalid_argument(
      "the model is not quantized: yolocu quantize MODEL --images DIR -o OUT makes one that is");
}

Result<std::unique_ptr<Executor>> create(std::shared_ptr<const Model> model, Device device,
                                         const ExecutorOptions& options) {
  ExecutorOptions resolved = options;
  const Device chosen = resolve_device(device);
  YOLOCU_RETURN_IF_ERROR(resolve_size(*model, chosen, resolved));
  const bool shows_values =
      chosen == Device::kCpu && resolve_precision(chosen, options.precision) == Precision::kFp32;
  if (options.observer != nullptr && !shows_values) {
    return unsupported("only the cpu device in fp32 shows its values to an observer");
  }
  if (chosen == Device::kReference || chosen == Device::kCpu) {
    YOLOCU_RETURN_IF_ERROR(check_int8(*model, options.precision));
  }
  if (options.precision != Precision::kInt8) {
    YOLOCU_ASSIGN_OR_RETURN(model, dequantized(std::move(model)));
  }
  switch (chosen) {
    case Device::kAuto: break;
    case Device::kReference: return create_reference_executor(std::move(model), resolved);
    case Device::kCpu: return create_cpu_executor(std::move(model), resolved);
    case Device::kCuda:
    case Device::kEmulated: return create_on_gpu(std::move(model), chosen, resolved);
  }
  return invalid_argument("unknown device");
}

bool has_usable_gpu() {
  const Result<DeviceList> list = query_devices();
  return list.ok() && list->devices.front().compute_major >= gpu::kLeastComputeMajor;
}

}  // namespace

Device resolve_device(Device device) {
  if (device != Device::kAuto) return device;
  if (has_usable_gpu()) return Device::kCuda;
  return Device::kCpu;
}

Precision resolve_precision(Device device, Precision precision) {
  if (precision != Precision::kAuto) return precision;
  const Device chosen = resolve_device(device);
  const bool is_gpu = chosen == Device::kCuda || chosen == Device::kEmulated;
  return is_gpu ? Precision::kFp16 : Precision::kFp32;
}

Precision fastest_precision(Device device) {
  const bool has_bf16 = resolve_device(device) == Device::kCpu && cpu::kernel_table().has_dot;
  return has_bf16 ? Precision::kBf16 : resolve_precision(device, Precision::kAuto);
}

Result<std::unique_ptr<Executor>> create_executor(std::shared_ptr<const Model> model, Device device,
                                                  const ExecutorOptions& options) {
  return guarded([&] { return create(std::move(model), device, options); });
}

}  // namespace yolocu
