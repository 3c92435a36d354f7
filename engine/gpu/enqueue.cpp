#include "engine/gpu/enqueue.h"

namespace yolocu::gpu {
namespace {

class Enqueuer {
 public:
  Enqueuer(const GpuPlan& plan, const ContextMemory& memory, const KernelTable& kernels,
           Stream stream)
      : plan_(plan), memory_(memory), kernels_(kernels), stream_(stream) {}

  Status operator()(const LetterboxStep& step) const {
    return kernels_.letterbox(data(step.y), memory_.pictures, step.problem, step.variant, stream_);
  }

  Status operator()(const ConvStep& step) const {
    const ConvWeights& weights = memory_.weights[static_cast<size_t>(step.conv)];
    const ConvTensors tensors = {.y = data(step.y),
                                 .second = data(step.second),
                                 .x = data(step.x),
                                 .w = weights.weight,
                                 .bias = weights.bias,
                                 .residual = data(step.residual),
                                 .workspace = memory_.workspace};
    return kernels_.conv(tensors, step.problem, step.choice, stream_);
  }

  Status operator()(const PoolStep& step) const {
    return kernels_.pool(data(step.y), data(step.x), step.problem, step.variant, stream_);
  }

  Status operator()(const ResizeSumStep& step) const {
    ResizeSumTensors tensors = {.y = data(step.y)};
    for (size_t i = 0; i < static_cast<size_t>(step.problem.count); ++i) {
      tensors.inputs[i] = data(step.inputs[i]);
    }
    return kernels_.resize_sum(tensors, step.problem, step.variant, stream_);
  }

  Status operator()(const SpaceToDepthStep& step) const {
    return kernels_.space_to_depth(data(step.y), data(step.x), step.problem, step.variant, stream_);
  }

  Status operator()(const CopyStep& step) const {
    return kernels_.channel_copy(data(step.y), data(step.x), step.problem, step.variant, stream_);
  }

  Status operator()(const PredictionStep& step) const {
    const PredictionTensors tensors = {.predictions = data<float>(step.predictions),
                                       .heads = heads(step.heads, step.problem)};
    return kernels_.decode_predictions(tensors, step.problem, step.variant, stream_);
  }

  Status operator()(const CandidateStep& step) const {
    const CandidateTensors tensors = {.lists = lists(step.lists),
                                      .heads = heads(step.heads, step.problem),
                                      .wanted_classes = memory_.wanted_classes};
    return kernels_.decode_candidates(tensors, step.problem, step.rule, step.variant, stream_);
  }

  Status operator()(const NmsStep& step) const {
    const NmsTensors tensors = {.detections = memory_.detections,
                                .detection_counts = memory_.detection_counts,
                                .candidates = lists(step.lists),
                                .workspace = data(step.workspace)};
    return kernels_.nms(tensors, step.problem, step.variant, stream_);
  }

 private:
  template <typename T = void>
  T* data(int buffer) const {
    if (buffer == kNoBuffer) return nullptr;
    std::byte* const bytes = memory_.arena + plan_.arena.offsets[static_cast<size_t>(buffer)];
    return static_cast<T*>(static_cast<void*>(bytes));
  }

  DecodeHeads heads(const HeadBuffers& buffers, const DecodeProblem& problem) const {
    DecodeHeads heads;
    for (size_t i = 0; i < static_cast<size_t>(problem.level_count); ++i) {
      heads.boxes[i] = data(buffers.boxes[i]);
      if (problem.head == DecodeHead::kDfl) heads.classes[i] = data(buffers.classes[i]);
    }
    return heads;
  }

  CandidateLists lists(const CandidateBuffers& buffers) const {
    return {.boxes = data<CandidateBox>(buffers.boxes),
            .keys = data<uint64_t>(buffers.keys),
            .counts = data<int32_t>(buffers.counts)};
  }

  const GpuPlan& plan_;
  const ContextMemory& memory_;
  const KernelTable& kernels_;
  Stream stream_;
};

}  // namespace

Status enqueue_step(const GpuPlan& plan, const Step& step, const ContextMemory& memory,
                    const KernelTable& kernels, Stream stream) {
  return std::visit(Enqueuer(plan, memory, kernels, stream), step.work);
}

Status enqueue(const GpuPlan& plan, const ContextMemory& memory, const KernelTable& kernels,
               Stream stream) {
  for (const Step& step : plan.steps) {
    const Status status = enqueue_step(plan, step, memory, kernels, stream);
    if (!status.ok()) {
      return status.with_context(plan.graph.nodes[static_cast<size_t>(step.node)].name);
    }
  }
  return {};
}

}  // namespace yolocu::gpu
