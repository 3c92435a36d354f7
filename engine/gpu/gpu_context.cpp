#include "engine/gpu/gpu_context.h"

#include "engine/base/guard.h"

namespace yolocu::gpu {
namespace {

// The step of the plan that suppresses, or nullptr.
const NmsStep* nms_step(const GpuPlan& plan) {
  return plan.steps.empty() ? nullptr : std::get_if<NmsStep>(&plan.steps.back().work);
}

int64_t detection_bytes(const NmsProblem& problem) {
  return problem.batch * problem.max_detections * static_cast<int64_t>(sizeof(NmsDetection));
}

}  // namespace

Result<std::unique_ptr<GpuContext>> GpuContext::create(std::shared_ptr<GpuModel> model,
                                                       std::shared_ptr<const GpuPlan> plan,
                                                       std::span<const uint32_t> wanted_classes) {
  YOLOCU_RETURN_IF_ERROR(model->runtime().make_current());
  std::unique_ptr<GpuContext> context(new GpuContext(std::move(model), std::move(plan)));
  YOLOCU_RETURN_IF_ERROR(context->allocate(wanted_classes.size()));
  YOLOCU_RETURN_IF_ERROR(context->initialise(wanted_classes));
  YOLOCU_RETURN_IF_ERROR(context->capture());
  return context;
}

GpuContext::~GpuContext() {
  static_cast<void>(wait());  // memory is released only when nothing uses it
}

Status GpuContext::allocate(size_t class_words) {
  DeviceRuntime& runtime = model_->runtime();
  YOLOCU_ASSIGN_OR_RETURN(stream_, make_stream(runtime));
  YOLOCU_ASSIGN_OR_RETURN(arena_, DeviceMemory::create(runtime, plan_->arena.size_bytes, "arena"));
  if (plan_->workspace_bytes > 0) {
    YOLOCU_ASSIGN_OR_RETURN(workspace_,
                            DeviceMemory::create(runtime, plan_->workspace_bytes, "split sums"));
  }
  if (const NmsStep* const nms = nms_step(*plan_)) {
    const int64_t batch = nms->problem.batch;
    const int64_t record_bytes = batch * static_cast<int64_t>(sizeof(LetterboxPicture));
    YOLOCU_ASSIGN_OR_RETURN(pictures_,
                            DeviceMemory::create(runtime, record_bytes, "picture records"));
    const int64_t bytes = detection_bytes(nms->problem) + batch * int64_t{sizeof(int32_t)};
    YOLOCU_ASSIGN_OR_RETURN(results_, DeviceMemory::create(runtime, bytes, "detections"));
  }
  if (class_words > 0) {
    const auto bytes = static_cast<int64_t>(class_words * sizeof(uint32_t));
    YOLOCU_ASSIGN_OR_RETURN(classes_, DeviceMemory::create(runtime, bytes, "wanted classes"));
  }
  return {};
}

Status GpuContext::initialise(std::span<const uint32_t> wanted_classes) {
  DeviceRuntime& runtime = model_->runtime();
  if (plan_->workspace_bytes > 0) {
    YOLOCU_RETURN_IF_ERROR(
        runtime.fill(workspace_.data(), 0, plan_->workspace_bytes, stream_.get()));
  }
  if (!wanted_classes.empty()) {
    YOLOCU_RETURN_IF_ERROR(runtime.upload(classes_.data(), wanted_classes.data(),
                                          static_cast<int64_t>(wanted_classes.size_bytes()),
                                          stream_.get()));
  }
  return wait();
}

std::byte* GpuContext::at(int buffer) const {
  return arena_.data<std::byte>() + plan_->arena.offsets[static_cast<size_t>(buffer)];
}

const float* GpuContext::predictions() const {
  if (plan_->predictions == kNoBuffer) return nullptr;
  return static_cast<const float*>(static_cast<const void*>(at(plan_->predictions)));
}

ContextMemory GpuContext::memory() const {
  ContextMemory memory = {.arena = arena_.data<std::byte>(),
                          .workspace = workspace_.data(),
                          .weights = model_->weights(),
                          .pictures = pictures_.data<LetterboxPicture>(),
                          .wanted_classes = classes_.data<uint32_t>()};
  if (const NmsStep* const nms = nms_step(*plan_)) {
    std::byte* const results = results_.data<std::byte>();
    memory.detections = results_.data<NmsDetection>();
    memory.detection_counts =
        static_cast<int32_t*>(static_cast<void*>(results + detection_bytes(nms->problem)));
  }
  return memory;
}

Status GpuContext::capture() {
  DeviceRuntime& runtime = model_->runtime();
  YOLOCU_RETURN_IF_ERROR(runtime.log_launches(model_->log()));  // CUDA's log is for each thread
  YOLOCU_RETURN_IF_ERROR(runtime.begin_capture(stream_.get()));
  // Whatever happens, a capture that was begun must be ended.
  const Status status =
      guarded([&] { return enqueue(*plan_, memory(), model_->kernels(), stream_.get()); });
  Result<OwnedGraph> graph = finish_capture(runtime, stream_.get());
  YOLOCU_RETURN_IF_ERROR(status);
  if (!graph.ok()) return graph.status();
  graph_ = std::move(*graph);
  return {};
}

Status GpuContext::launch() {
  YOLOCU_RETURN_IF_ERROR(model_->runtime().make_current());
  return model_->runtime().launch_graph(graph_.get(), stream_.get());
}

Status GpuContext::wait() {
  if (stream_.get() == nullptr) return {};
  return model_->runtime().synchronize_stream(stream_.get());
}

}  // namespace yolocu::gpu
