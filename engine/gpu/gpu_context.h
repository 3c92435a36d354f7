// One user of a model on a GPU: arena, stream, and the plan's launches captured into a graph once.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/gpu/gpu_model.h"

namespace yolocu::gpu {

// Not thread-safe: one a thread. Any number of contexts of one model may run at once.
class GpuContext {
 public:
  // Allocates everything that launch() needs and captures the launches. kResourceExhausted without
  // room on the device, and the process goes on. wanted_classes [ceil(classes / 32)]: as in
  // CandidateTensors; empty: all.
  static Result<std::unique_ptr<GpuContext>> create(std::shared_ptr<GpuModel> model,
                                                    std::shared_ptr<const GpuPlan> plan,
                                                    std::span<const uint32_t> wanted_classes = {});

  const GpuPlan& plan() const { return *plan_; }
  const std::shared_ptr<const GpuPlan>& shared_plan() const { return plan_; }
  GpuModel& model() const { return *model_; }
  const std::shared_ptr<GpuModel>& shared_model() const { return model_; }
  Stream stream() const { return stream_.get(); }

  // The network's input in device memory, plan().input_view of [batch, height, width] pixels; and
  // the predictions, or nullptr if the plan ends with detections.
  void* input() const { return at(plan_->input); }
  const float* predictions() const;

  // Records of the pictures that the plan begins with, [batch].
  LetterboxPicture* pictures() const { return pictures_.data<LetterboxPicture>(); }
  // What the plan ends with: [batch, max_detections] detections, then [batch] counts int32_t.
  const void* results() const { return results_.data(); }
  int64_t result_bytes() const { return results_.size_bytes(); }

  // Enqueues the captured launches: one call. Uploads before and downloads after it on stream()
  // are the caller's.
  Status launch();
  // Waits for all that was enqueued on stream(), and gives its error.
  Status wait();

  ~GpuContext();

 private:
  GpuContext(std::shared_ptr<GpuModel> model, std::shared_ptr<const GpuPlan> plan)
      : model_(std::move(model)), plan_(std::move(plan)) {}
  Status allocate(size_t class_words);
  Status initialise(std::span<const uint32_t> wanted_classes);
  Status capture();
  std::byte* at(int buffer) const;
  ContextMemory memory() const;

  std::shared_ptr<GpuModel> model_;  // outlives all that follows
  std::shared_ptr<const GpuPlan> plan_;
  OwnedStream stream_;
  DeviceMemory arena_, workspace_, pictures_, classes_, results_;
  OwnedGraph graph_;
};

}  // namespace yolocu::gpu
