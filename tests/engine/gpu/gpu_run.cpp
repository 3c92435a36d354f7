#include "tests/engine/gpu/gpu_run.h"

#include <cstdlib>
#include <cstring>
#include <string_view>

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

// Uploads, launches, and reads the arena.
Result<std::vector<std::byte>> run_once(GpuContext& context, std::byte* arena,
                                        const std::vector<std::byte>& input) {
  DeviceRuntime& runtime = context.model().runtime();
  const Stream stream = context.stream();
  std::vector<std::byte> after(static_cast<size_t>(context.plan().arena.size_bytes));
  const auto bytes = static_cast<int64_t>(after.size());
  YOLOCU_RETURN_IF_ERROR(
      runtime.upload(context.input(), input.data(), static_cast<int64_t>(input.size()), stream));
  YOLOCU_RETURN_IF_ERROR(context.launch());
  YOLOCU_RETURN_IF_ERROR(runtime.download(after.data(), arena, bytes, stream));
  YOLOCU_RETURN_IF_ERROR(context.wait());
  return after;
}

Result<Heads> run(const std::shared_ptr<const Model>& model, DType dtype, int64_t height,
                  int64_t width, const std::vector<float>& picture, const TestDevice& device) {
  YOLOCU_ASSIGN_OR_RETURN(const auto loaded, GpuModel::create(model, make_device(device), dtype));
  YOLOCU_ASSIGN_OR_RETURN(const auto plan, loaded->plan(1, height, width));
  YOLOCU_ASSIGN_OR_RETURN(const auto context, GpuContext::create(loaded, plan));
  std::byte* const arena = static_cast<std::byte*>(context->input()) -
                           plan->arena.offsets[static_cast<size_t>(plan->input)];
  YOLOCU_RETURN_IF_ERROR(
      loaded->runtime().fill(arena, 0xFF, plan->arena.size_bytes, context->stream()));
  const std::vector<std::byte> input = padded_picture(*plan, picture);
  const int64_t channels = class_count(model->spec) + 5;
  YOLOCU_ASSIGN_OR_RETURN(const auto first, run_once(*context, arena, input));
  YOLOCU_ASSIGN_OR_RETURN(const auto second, run_once(*context, arena, input));
  const Heads heads = read_heads(*plan, first, channels);
  EXPECT_EQ(read_heads(*plan, second, channels), heads) << "a second launch differs";
  return heads;
}

}  // namespace

Device tested_device() {
  const char* const name = std::getenv("YOLOCU_TEST_DEVICE");
  return name != nullptr && std::string_view(name) == "cuda" ? Device::kCuda : Device::kEmulated;
}

gpu::GpuDevice make_device(const TestDevice& options) {
  if (tested_device() == Device::kCuda) {
    auto device = gpu::open_gpu_device(Device::kCuda, {});
    EXPECT_TRUE(device.ok()) << device.status().message();
    return device.ok() ? *std::move(device) : gpu::GpuDevice{};
  }
  DeviceInfo info = emulation::emulated_device_info();
  info.multiprocessors = options.multiprocessors;
  info.memory_bytes = options.memory_bytes;
  const emulation::EmulationOptions emulated{.seed = options.seed};
  return {std::make_shared<emulation::EmulatedRuntime>(emulated, info), &emulated_kernels()};
}

Heads run_gpu(const std::shared_ptr<const Model>& model, DType dtype, int64_t height, int64_t width,
              const std::vector<float>& picture, const TestDevice& device) {
  Result<Heads> heads = run(model, dtype, height, width, picture, device);
  if (heads.ok()) return *std::move(heads);
  ADD_FAILURE() << heads.status().message();
  return {};
}

}  // namespace yolocu::testing
