// The cpu device behind the Executor interface.
#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/str_cat.h"
#include "engine/cpu/aligned_buffer.h"
#include "engine/cpu/cpu_binder.h"
#include "engine/cpu/cpu_plan.h"
#include "engine/cpu/cpu_work.h"
#include "engine/cpu/kernels/kernel_table.h"
#include "engine/cpu/threads.h"
#include "engine/executor.h"
#include "engine/processors.h"

namespace yolocu {
namespace cpu {
namespace {

class CpuExecutor final : public Executor {
 public:
  CpuExecutor(std::shared_ptr<const Model> model, const ExecutorOptions& options)
      : model_(std::move(model)), options_(options), team_(choose_threads(options.threads)) {}

  Status prepare() {
    const Graph& graph = model_->spec.graph;
    YOLOCU_ASSIGN_OR_RETURN(const std::vector<ValueShape> shapes, infer_shapes(graph));
    anchors_ = prediction_count(graph, shapes, height(), width());
    row_ = shapes.back().channels;
    YOLOCU_ASSIGN_OR_RETURN(
        plan_, make_cpu_plan(graph, shapes, height(), width(), kernel_table().lanes, element()));

    constexpr int64_t kFloatBytes = sizeof(float);
    const int64_t input_bytes = batch() * picture_elements() * kFloatBytes;
    const int64_t output_bytes = batch() * anchors_ * row_ * kFloatBytes;
    YOLOCU_ASSIGN_OR_RETURN(bound_, bind_plan(plan_, *model_, team_, input_bytes + output_bytes));
    YOLOCU_ASSIGN_OR_RETURN(input_, AlignedBuffer::create(input_bytes));
    YOLOCU_ASSIGN_OR_RETURN(output_, AlignedBuffer::create(output_bytes));
    if (options_.observer != nullptr) find_observed_values();
    return {};
  }

  int64_t batch() const override { return options_.batch; }
  int64_t height() const override { return options_.height; }
  int64_t width() const override { return options_.width; }
  std::span<float> input() override { return input_.floats(); }
  std::span<const float> output() const override { return output_.floats(); }
  int64_t anchors() const override { return anchors_; }
  int64_t row() const override { return row_; }
  int64_t arena_bytes() const override { return bound_.arena.size_bytes(); }

  Result<std::unique_ptr<Executor>> share(const ExecutorOptions& options) const override {
    return create_executor(model_, Device::kCpu, with_shape_of(options_, options));
  }

  Status run() override {
    for (int64_t image = 0; image < batch(); ++image) {
      const PictureJob job = job_of(image);
      for (size_t i = 0; i < bound_.work.size(); ++i) {
        execute(bound_.work[i], job);
        if (!observed_.empty() && observed_[i].data != nullptr) {
          options_.observer->observe(observed_[i]);
        }
      }
    }
    return {};
  }

  Result<std::vector<StepTime>> time_steps(int64_t warmup, int64_t iterations) override {
    using Clock = std::chrono::steady_clock;
    std::vector<std::vector<double>> times(bound_.work.size());
    for (int64_t i = 0; i < warmup + iterations; ++i) {
      const PictureJob job = job_of(0);
      for (size_t step = 0; step < bound_.work.size(); ++step) {
        const Clock::time_point start = Clock::now();
        execute(bound_.work[step], job);
        const std::chrono::duration<double, std::milli> time = Clock::now() - start;
        if (i >= warmup) times[step].push_back(time.count());
      }
    }
    std::vector<StepTime> steps;
    for (size_t step = 0; step < bound_.work.size(); ++step) {
      const auto middle = times[step].begin() + static_cast<std::ptrdiff_t>(times[step].size() / 2);
      std::nth_element(times[step].begin(), middle, times[step].end());
      steps.push_back(
          {node_name(step), implementation_name(bound_.work[step]), *middle, flops(step)});
    }
    return steps;
  }

  std::vector<PlanStep> plan() const override {
    std::vector<PlanStep> lines = plan_.views;
    for (size_t i = 0; i < bound_.work.size(); ++i) {
      lines.push_back({node_name(i), implementation_name(bound_.work[i])});
    }
    return lines;
  }

 private:
  Element element() const {
    if (options_.precision == Precision::kInt8) return Element::kI8;
    return options_.precision == Precision::kBf16 ? Element::kBf16 : Element::kF32;
  }

  PictureJob job_of(int64_t image) {
    const auto predictions = static_cast<size_t>(anchors_ * row_);
    return {
        .picture = input_.floats().data() + image * picture_elements(),
        .output = {output_.floats().subspan(static_cast<size_t>(image) * predictions, predictions),
                   options_.least_score},
        .team = &team_,
        .scratch = bound_.scratch.data(),
        .scratch_bytes = bound_.scratch_bytes};
  }

  double flops(size_t step) const {
    const auto* conv = std::get_if<ConvStep>(&plan_.steps[step].work);
    if (conv == nullptr) return 0;
    const Node& node = model_->spec.graph.nodes[static_cast<size_t>(conv->conv)];
    const ChannelLayout& in = conv->source.buffer == View::kPicture
                                  ? plan_.picture_layout
                                  : plan_.layouts[static_cast<size_t>(node.inputs[0])];
    const auto& op = std::get<ConvOp>(node.op);
    return 2.0 * static_cast<double>(op.kernel * op.kernel * in.channels() / op.groups) *
           static_cast<double>(op.out_channels * conv->shape.out_height * conv->shape.out_width);
  }

  // A value is whole after the last of its steps; the first begins where the value does.
  void find_observed_values() {
    observed_.resize(plan_.steps.size());
    for (size_t first = 0, last = 0; first < observed_.size(); first = last + 1) {
      const int node = plan_.steps[first].node;
      last = first;
      while (last + 1 < observed_.size() && plan_.steps[last + 1].node == node) ++last;
      const Op& op = model_->spec.graph.nodes[static_cast<size_t>(node)].op;
      const bool is_whole = node != 0 && !std::holds_alternative<ConcatOp>(op);
      const Tensor& start = bound_.destinations[first];
      if (!is_whole || bound_.destinations[last].data == nullptr) continue;
      observed_[last] = {.node = node,
                         .data = start.floats(),
                         .block = start.block,
                         .height = start.height,
                         .width = start.width,
                         .layout = &plan_.layouts[static_cast<size_t>(node)]};
    }
  }

  int64_t picture_elements() const { return height() * width() * plan_.picture_layout.channels(); }

  const std::string& node_name(size_t step) const {
    return model_->spec.graph.nodes[static_cast<size_t>(plan_.steps[step].node)].name;
  }

  std::shared_ptr<const Model> model_;
  ExecutorOptions options_;
  Team team_;
  int64_t anchors_ = 0, row_ = 0;
  CpuPlan plan_;
  AlignedBuffer input_, output_;
  BoundPlan bound_;
  std::vector<ObservedValue> observed_;  // by step; no data: nothing to see. Empty: no observer
};

Status check_precision(Precision precision) {
  if (precision == Precision::kAuto || precision == Precision::kFp32) return {};
  if (precision != Precision::kBf16 && precision != Precision::kInt8) {
    return unsupported(str_cat("the cpu device computes in fp32, bf16 and int8, not in ",
                               precision_name(precision)));
  }
  if (kernel_table().has_dot) return {};
  return unsupported(str_cat("this processor lacks the instructions for ",
                             precision_name(precision),
                             " (AVX-512 BF16 and VNNI); use --precision fp32"));
}

}  // namespace
}  // namespace cpu

Result<std::unique_ptr<Executor>> create_cpu_executor(std::shared_ptr<const Model> model,
                                                      const ExecutorOptions& options) {
  YOLOCU_RETURN_IF_ERROR(cpu::check_precision(options.precision));
  auto executor = std::make_unique<cpu::CpuExecutor>(std::move(model), options);
  YOLOCU_RETURN_IF_ERROR(executor->prepare());
  return std::unique_ptr<Executor>(std::move(executor));
}

}  // namespace yolocu
