#include "bench/kernels/case_memory.h"

#include <algorithm>

#include "bench/kernels/case_data.h"

namespace yolocu::bench {

int64_t rotated_copies(const KernelCase& one) {
  const int64_t bytes = std::max<int64_t>(one.step.arena.size_bytes, 1);
  return std::clamp<int64_t>((kRotatedBytes + bytes - 1) / bytes, 2, 1024);
}

Result<CaseMemory> CaseMemory::create(const gpu::GpuDevice& device, const KernelCase& one,
                                      int64_t copies) {
  DeviceRuntime& runtime = *device.runtime;
  CaseMemory memory;
  memory.device_ = &device;
  memory.case_ = &one;
  const int64_t alignment = gpu::kBufferAlignment;
  const int64_t stride = (one.step.arena.size_bytes + alignment - 1) / alignment * alignment;
  YOLOCU_ASSIGN_OR_RETURN(memory.memory_,
                          DeviceMemory::create(runtime, copies * stride, "copies of a case"));
  for (int64_t i = 0; i < copies; ++i) {
    memory.arenas_.push_back(memory.memory_.data<std::byte>() + i * stride);
  }
  YOLOCU_ASSIGN_OR_RETURN(const OwnedStream stream, make_stream(runtime));
  if (one.step.workspace_bytes > 0) {
    YOLOCU_ASSIGN_OR_RETURN(memory.workspace_,
                            DeviceMemory::create(runtime, one.step.workspace_bytes, "split sums"));
    YOLOCU_RETURN_IF_ERROR(
        runtime.fill(memory.workspace_.data(), 0, one.step.workspace_bytes, stream.get()));
  }
  const std::vector<std::byte> data = arena_data(one);
  for (int64_t i = 0; i < copies; ++i) {
    YOLOCU_RETURN_IF_ERROR(memory.upload(i, data, stream.get()));
  }
  return memory;
}

Status CaseMemory::upload(int64_t copy, std::span<const std::byte> data, Stream stream) {
  DeviceRuntime& runtime = *device_->runtime;
  std::byte* const arena = arenas_[static_cast<size_t>(copy)];
  YOLOCU_RETURN_IF_ERROR(
      runtime.upload(arena, data.data(), static_cast<int64_t>(data.size()), stream));
  if (case_->extra.pictures != gpu::kNoBuffer) {
    YOLOCU_ASSIGN_OR_RETURN(const auto records, picture_records(*case_, arena));
    const auto bytes = static_cast<int64_t>(records.size() * sizeof(LetterboxPicture));
    YOLOCU_RETURN_IF_ERROR(
        runtime.upload(at(copy, case_->extra.pictures), records.data(), bytes, stream));
    return runtime.synchronize_stream(stream);  // before the records go
  }
  return runtime.synchronize_stream(stream);
}

Status CaseMemory::enqueue(int64_t copy, Stream stream) const {
  const CaseBuffers& extra = case_->extra;
  const std::vector<gpu::ConvWeights> weights = {
      {at(copy, extra.weight), at<float>(copy, extra.bias)}};
  const gpu::ContextMemory memory = {.arena = arenas_[static_cast<size_t>(copy)],
                                     .workspace = workspace_.data(),
                                     .weights = weights,
                                     .pictures = at<LetterboxPicture>(copy, extra.pictures),
                                     .detections = at<NmsDetection>(copy, extra.detections),
                                     .detection_counts = at<int32_t>(copy, extra.detection_counts)};
  return gpu::enqueue_step(case_->step, case_->step.steps.front(), memory, *device_->kernels,
                           stream);
}

}  // namespace yolocu::bench
