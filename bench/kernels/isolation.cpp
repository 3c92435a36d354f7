#include "bench/kernels/isolation.h"

#include <utility>

namespace yolocu::bench {
namespace {

// Gives each step its buffers.
class Isolator {
 public:
  explicit Isolator(KernelCase& one)
      : plan_(one.step), extra_(one.extra), element_(size_bytes(one.step.options.dtype)) {}

  void operator()(gpu::ConvStep& s) {
    const ConvProblem& p = s.problem;
    s.conv = 0;
    s.y = output(p, p.first());
    s.x = map(p.batch * p.height * p.width, p.x);
    if (p.second) s.second = output(p, *p.second);
    if (p.residual) s.residual = map(p.out_pixels(), *p.residual);
    extra_.weight = buffer(p.out_channels * p.depth() * element_);
    extra_.bias = buffer(p.out_channels * int64_t{sizeof(float)});
    plan_.workspace_bytes = conv_workspace_bytes(s.choice, p);
  }

  void operator()(gpu::PoolStep& s) {
    const PoolProblem& p = s.problem;
    s.y = map(p.batch * p.out_height() * p.out_width(), p.y);
    s.x = map(p.batch * p.height * p.width, p.x);
  }

  void operator()(gpu::ResizeSumStep& s) {
    const ResizeSumProblem& p = s.problem;
    s.y = map(p.batch * p.out_height * p.out_width, p.y);
    for (size_t i = 0; i < static_cast<size_t>(p.count); ++i) {
      const ResizeInput& input = p.inputs[i];
      s.inputs[i] = map(p.batch * input.height * input.width, input.view);
    }
  }

  void operator()(gpu::SpaceToDepthStep& s) {
    const SpaceToDepthProblem& p = s.problem;
    s.y = map(p.batch * (p.height / 2) * (p.width / 2), p.y);
    s.x = map(p.batch * p.height * p.width, p.x);
  }

  void operator()(gpu::CopyStep& s) {
    const ChannelCopyProblem& p = s.problem;
    s.y = map(p.pixels, {p.dst_pixel_stride, 0});
    s.x = map(p.pixels, {p.src_pixel_stride, 0});
  }

  void operator()(gpu::LetterboxStep& s) {
    const LetterboxProblem& p = s.problem;
    s.y = map(p.batch * p.height * p.width, p.y);
    extra_.pixels = buffer(p.batch * 3 * kPictureWidth * kPictureHeight);
    extra_.pictures = buffer(p.batch * int64_t{sizeof(LetterboxPicture)});
  }

  void operator()(gpu::PredictionStep& s) {
    const DecodeProblem& p = s.problem;
    s.heads = heads(p);
    s.predictions = buffer(p.batch * p.anchors() * p.row() * int64_t{sizeof(float)});
  }

  void operator()(gpu::CandidateStep& s) {
    s.heads = heads(s.problem);
    s.lists = lists(s.problem.batch, s.rule.capacity);
  }

  void operator()(gpu::NmsStep& s) {
    const NmsProblem& p = s.problem;
    s.lists = lists(p.batch, p.capacity);
    s.workspace = buffer(nms_workspace_bytes(s.variant, p));
    extra_.detections = buffer(p.batch * p.max_detections * int64_t{sizeof(NmsDetection)});
    extra_.detection_counts = buffer(p.batch * int64_t{sizeof(int32_t)});
  }

 private:
  int buffer(int64_t bytes) {
    plan_.buffers.push_back({.size_bytes = bytes});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  int map(int64_t pixels, const ChannelView& view) {
    return buffer(pixels * view.pixel_stride * element_);
  }

  int output(const ConvProblem& p, const ConvOutput& output) {
    return map(p.out_pixels() * output.upsample * output.upsample, output.view);
  }

  gpu::HeadBuffers heads(const DecodeProblem& p) {
    gpu::HeadBuffers heads;
    for (size_t i = 0; i < static_cast<size_t>(p.level_count); ++i) {
      const DecodeLevel& level = p.levels[i];
      const int64_t pixels = p.batch * level.height * level.width;
      heads.boxes[i] = map(pixels, {level.box_pixel_stride, 0});
      if (p.head == DecodeHead::kDfl) heads.classes[i] = map(pixels, {level.class_pixel_stride, 0});
    }
    return heads;
  }

  gpu::CandidateBuffers lists(int64_t batch, int64_t capacity) {
    return {.boxes = buffer(batch * capacity * int64_t{sizeof(CandidateBox)}),
            .keys = buffer(batch * capacity * int64_t{sizeof(uint64_t)}),
            .counts = buffer(batch * int64_t{sizeof(int32_t)})};
  }

  gpu::GpuPlan& plan_;
  CaseBuffers& extra_;
  int64_t element_;
};

}  // namespace

void isolate(KernelCase& one, gpu::Work work, const gpu::PlanOptions& options) {
  one.step = {};
  one.extra = {};
  one.step.options = options;
  std::visit(Isolator(one), work);
  one.step.steps.push_back({0, std::move(work)});
  // All are alive in the only step, so they get places of their own.
  one.step.arena = plan_arena(one.step.buffers, gpu::kBufferAlignment);
}

}  // namespace yolocu::bench
