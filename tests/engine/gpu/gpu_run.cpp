#include "tests/engine/gpu/gpu_run.h"

#include <cstring>

#include "engine/base/half.h"
#include "engine/gpu/conv_weights.h"

namespace yolocu::testing {
namespace {

using gpu::GpuContext;
using gpu::GpuModel;
using gpu::GpuPlan;

float element(const std::byte* data, DType dtype) {
  float value = 0;
  uint16_t bits = 0;
  if (dtype == DType::kF32) {
    std::memcpy(&value, data, sizeof(value));
    return value;
  }
  std::memcpy(&bits, data, sizeof(bits));
  return dtype == DType::kF16 ? half_to_float(bits) : bfloat16_to_float(bits);
}

std::vector<std::byte> padded_picture(const GpuPlan& plan, const std::vector<float>& picture) {
  std::vector<float> padded;
  for (size_t i = 0; i < picture.size(); i += 3) {
    std::vector<float> pixel(static_cast<size_t>(plan.input_view.pixel_stride));
    for (int64_t c = 0; c < 3; ++c) {
      pixel[static_cast<size_t>(plan.input_view.offset + plan.input_layout.position(c))] =
          picture[i + static_cast<size_t>(c)];
    }
    padded.insert(padded.end(), pixel.begin(), pixel.end());
  }
  std::vector<std::byte> bytes(padded.size() * static_cast<size_t>(size_bytes(plan.options.dtype)));
  gpu::store_floats(bytes.data(), plan.options.dtype, padded);
  return bytes;
}

// The heads within a copy of the arena.
Heads read_heads(const GpuPlan& plan, const std::vector<std::byte>& arena, int64_t channels) {
  Heads heads;
  const auto& step = std::get<gpu::PredictionStep>(plan.steps.back().work);
  const int64_t bytes = size_bytes(plan.options.dtype);
  for (size_t i = 0; i < static_cast<size_t>(step.problem.level_count); ++i) {
    const DecodeLevel& level = step.problem.levels[i];
    const std::byte* map =
        arena.data() + plan.arena.offsets[static_cast<size_t>(step.heads.boxes[i])];
    std::vector<float>& head = heads.emplace_back();
    for (int64_t p = 0; p < level.height * level.width; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        head.push_back(element(map + (p * level.box_pixel_stride + level.box_offset + c) * bytes,
                               plan.options.dtype));
      }
    }
  }
  return heads;
}

Result<Heads> run(const std::shared_ptr<const Model>& model, DType dtype, int64_t height,
                  int64_t width, const std::vector<float>& picture, uint64_t seed) {
  YOLOCU_ASSIGN_OR_RETURN(const auto loaded, GpuModel::create(model, emulated_device(seed), dtype));
  YOLOCU_ASSIGN_OR_RETURN(const auto plan, loaded->plan(1, height, width));
  YOLOCU_ASSIGN_OR_RETURN(const auto context, GpuContext::create(loaded, plan));
  DeviceRuntime& runtime = loaded->runtime();
  const Stream stream = context->stream();
  std::byte* const arena = static_cast<std::byte*>(context->input()) -
                           plan->arena.offsets[static_cast<size_t>(plan->input)];
  const int64_t arena_bytes = plan->arena.size_bytes;
  YOLOCU_RETURN_IF_ERROR(runtime.fill(arena, 0xFF, arena_bytes, stream));
  const std::vector<std::byte> input = padded_picture(*plan, picture);
  YOLOCU_RETURN_IF_ERROR(
      runtime.upload(context->input(), input.data(), static_cast<int64_t>(input.size()), stream));
  YOLOCU_RETURN_IF_ERROR(context->launch());
  std::vector<std::byte> after(static_cast<size_t>(arena_bytes));
  YOLOCU_RETURN_IF_ERROR(runtime.download(after.data(), arena, arena_bytes, stream));
  YOLOCU_RETURN_IF_ERROR(runtime.synchronize_stream(stream));
  return read_heads(*plan, after, class_count(model->spec) + 5);
}

}  // namespace

Heads run_gpu(const std::shared_ptr<const Model>& model, DType dtype, int64_t height, int64_t width,
              const std::vector<float>& picture, uint64_t seed) {
  Result<Heads> heads = run(model, dtype, height, width, picture, seed);
  if (heads.ok()) return *std::move(heads);
  ADD_FAILURE() << heads.status().message();
  return {};
}

}  // namespace yolocu::testing
