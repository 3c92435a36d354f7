#include "engine/gpu/gpu_model.h"

#include <utility>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "engine/gpu/conv_weights.h"
#include "engine/memory_limit.h"
#include "weights/format/quantization.h"

namespace yolocu::gpu {
namespace {

// Where the weights of one convolution go within the one allocation of all.
struct WeightPlace {
  int node = 0;
  int64_t weight = 0, weight_bytes = 0, bias = 0, bias_bytes = 0;
};

struct WeightPlan {
  std::vector<ConvWeightLayout> layouts;
  std::vector<WeightPlace> places;
  int64_t bytes = 0;
};

Result<WeightPlan> plan_weights(const Graph& graph, DType dtype) {
  WeightPlan plan;
  YOLOCU_ASSIGN_OR_RETURN(const std::vector<ValueShape> shapes, infer_shapes(graph));
  YOLOCU_ASSIGN_OR_RETURN(plan.layouts, plan_conv_weights(graph, shapes));
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    const auto* conv = std::get_if<ConvOp>(&graph.nodes[static_cast<size_t>(i)].op);
    if (conv == nullptr) continue;
    const ConvWeightLayout& layout = plan.layouts[static_cast<size_t>(i)];
    WeightPlace place{.node = i};
    place.weight = plan.bytes;
    place.weight_bytes = padded_weight_elements(*conv, layout) * size_bytes(dtype);
    place.bias = round_up(place.weight + place.weight_bytes, kBufferAlignment);
    place.bias_bytes = layout.out.padded_channels() * static_cast<int64_t>(sizeof(float));
    plan.bytes = round_up(place.bias + place.bias_bytes, kBufferAlignment);
    plan.places.push_back(place);
  }
  return plan;
}

// Both tensors of one convolution, at their places in `packed`.
Status pack_conv(std::span<std::byte> packed, const Model& model, const ConvOp& conv,
                 const WeightPlace& place, const ConvWeightLayout& layout, DType dtype) {
  const auto part = [&](int64_t begin, int64_t bytes) {
    return packed.subspan(static_cast<size_t>(begin), static_cast<size_t>(bytes));
  };
  const Status status = pack_weights(part(place.weight, place.weight_bytes), dtype,
                                     model.tensors.find(conv.weight)->second, conv, layout);
  if (!status.ok()) return status.with_context(conv.weight);
  if (conv.bias.empty()) return {};
  std::vector<float> bias(static_cast<size_t>(layout.out.padded_channels()));
  const Status bias_status = pack_bias(bias, model.tensors.find(conv.bias)->second, layout);
  if (!bias_status.ok()) return bias_status.with_context(conv.bias);
  store_floats(part(place.bias, place.bias_bytes).data(), DType::kF32, bias);
  return {};
}

}  // namespace

Result<DType> gpu_dtype(Precision precision) {
  switch (precision) {
    case Precision::kAuto:
    case Precision::kFp16: return DType::kF16;
    case Precision::kBf16: return DType::kBF16;
    case Precision::kFp32: return DType::kF32;
    case Precision::kInt8: break;
  }
  return unsupported("the cuda and emulated devices compute in fp16, bf16 or fp32, not int8");
}

ConvDevice conv_device(const DeviceInfo& info) {
  return {.multiprocessors = info.multiprocessors,
          .shared_bytes_per_block = info.shared_bytes_per_block,
          .has_wgmma = info.has_wgmma};
}

Result<std::shared_ptr<GpuModel>> GpuModel::create(std::shared_ptr<const Model> model,
                                                   GpuDevice device, DType dtype) {
  std::shared_ptr<GpuModel> result(new GpuModel);
  YOLOCU_ASSIGN_OR_RETURN(result->model_, dequantized(std::move(model)));
  result->device_ = std::move(device);
  result->dtype_ = dtype;
  YOLOCU_RETURN_IF_ERROR(result->runtime().make_current());
  YOLOCU_RETURN_IF_ERROR(result->upload_weights());
  return result;
}

Status GpuModel::upload_weights() {
  const Graph& graph = model_->spec.graph;
  YOLOCU_ASSIGN_OR_RETURN(const WeightPlan plan, plan_weights(graph, dtype_));
  YOLOCU_RETURN_IF_ERROR(check_memory(static_cast<double>(plan.bytes)));
  YOLOCU_ASSIGN_OR_RETURN(memory_, DeviceMemory::create(runtime(), plan.bytes, "weights"));
  std::vector<std::byte> packed(static_cast<size_t>(plan.bytes));
  weights_.resize(graph.nodes.size());
  for (const WeightPlace& place : plan.places) {
    const auto node = static_cast<size_t>(place.node);
    YOLOCU_RETURN_IF_ERROR(pack_conv(packed, *model_, std::get<ConvOp>(graph.nodes[node].op), place,
                                     plan.layouts[node], dtype_));
    std::byte* const base = memory_.data<std::byte>();
    weights_[node] = {base + place.weight, reinterpret_cast<const float*>(base + place.bias)};
  }
  YOLOCU_ASSIGN_OR_RETURN(const OwnedStream stream, make_stream(runtime()));
  YOLOCU_RETURN_IF_ERROR(runtime().upload(memory_.data(), packed.data(), plan.bytes, stream.get()));
  return runtime().synchronize_stream(stream.get());
}

PlanOptions GpuModel::plan_options(int64_t batch, int64_t height, int64_t width) const {
  return {.dtype = dtype_,
          .batch = batch,
          .height = height,
          .width = width,
          .device = conv_device(runtime().info())};
}

Result<std::shared_ptr<const GpuPlan>> GpuModel::plan(int64_t batch, int64_t height, int64_t width,
                                                      InputLifetime input) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const GpuPlan>& kept = plans_[{batch, height, width, input}];
  if (kept == nullptr) {
    PlanOptions options = plan_options(batch, height, width);
    options.input = input;
    YOLOCU_ASSIGN_OR_RETURN(GpuPlan made, make_gpu_plan(spec(), options));
    kept = std::make_shared<const GpuPlan>(std::move(made));
  }
  return kept;
}

Result<std::shared_ptr<const GpuPlan>> GpuModel::plan(int64_t batch, int64_t height, int64_t width,
                                                      const DetectionRule& rule) const {
  PlanOptions options = plan_options(batch, height, width);
  options.detections = rule;
  YOLOCU_ASSIGN_OR_RETURN(GpuPlan made, make_gpu_plan(spec(), options));
  return std::make_shared<const GpuPlan>(std::move(made));
}

}  // namespace yolocu::gpu
