#include "engine/cpu/cpu_binder.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "engine/base/checked.h"
#include "engine/base/guard.h"
#include "engine/cpu/conv_weights.h"
#include "engine/cpu/direct_conv.h"
#include "engine/cpu/threads.h"
#include "engine/memory_limit.h"

namespace yolocu::cpu {
namespace {

constexpr int64_t kAlignmentBytes = 64;  // a cache line, and the widest vector register
constexpr int64_t kFloatBytes = sizeof(float);
constexpr int64_t kAlignmentElements = kAlignmentBytes / kFloatBytes;

// A convolution's kernel before it has memory.
struct PreparedConv {
  std::shared_ptr<const Kernel> kernel;  // null: direct_conv
  ConvPart part;
  WeightOrder order;
  int64_t weight_elements = 0;
  int64_t offset = 0;  // of the weights in the weight buffer, elements; the bias follows

  int64_t bias_offset() const { return offset + round_up(weight_elements, kAlignmentElements); }
  int64_t end() const {
    return bias_offset() + round_up(part.problem.out_channels, kAlignmentElements);
  }
};

class Binder {
 public:
  Binder(const CpuPlan& plan, const Model& model, OneDnn& library)
      : plan_(plan), model_(model), library_(library) {}

  Result<BoundPlan> run(int64_t other_bytes) {
    YOLOCU_RETURN_IF_ERROR(for_steps([this](const Step& step) { return prepare(step); }));
    YOLOCU_RETURN_IF_ERROR(allocate(other_bytes));
    YOLOCU_RETURN_IF_ERROR(for_steps([this](const Step& step) -> Status {
      YOLOCU_ASSIGN_OR_RETURN(auto work,
                              std::visit([this](const auto& s) { return bind(s); }, step.work));
      bound_.work.push_back(std::move(work));
      bound_.destinations.push_back(
          std::visit([this](const auto& s) { return destination(s); }, step.work));
      return {};
    }));
    YOLOCU_RETURN_IF_ERROR(pack_all());
    return std::move(bound_);
  }

 private:
  const std::vector<Node>& nodes() const { return model_.spec.graph.nodes; }

  template <typename Body>
  Status for_steps(const Body& body) {
    for (const Step& step : plan_.steps) {
      const Status status = body(step);
      if (!status.ok()) {
        return status.with_context("node '" + nodes()[static_cast<size_t>(step.node)].name + "'");
      }
    }
    return {};
  }

  // Kernels, before anything is allocated: they say how much scratchpad and weights they need.
  // -----

  Status prepare(const Step& step) {
    if (const auto* conv = std::get_if<ConvStep>(&step.work)) return prepare_conv(*conv);
    if (const auto* pool = std::get_if<PoolStep>(&step.work)) {
      YOLOCU_ASSIGN_OR_RETURN(const auto kernel, library_.pooling(pool->problem));
      scratchpad_bytes_ = std::max(scratchpad_bytes_, kernel->scratchpad_bytes());
    }
    return {};
  }

  Status prepare_conv(const ConvStep& step) {
    const Node& node = nodes()[static_cast<size_t>(step.conv)];
    PreparedConv prepared;
    prepared.part = {.conv = &std::get<ConvOp>(node.op),
                     .in = step.source.buffer == View::kPicture ? &plan_.picture_layout
                                                                : &layout(node.inputs[0]),
                     .out = &layout(step.conv),
                     .out_begin = step.out_begin,
                     .problem = step.problem};
    const auto kernel = library_.convolution(step.problem);
    if (kernel.ok()) {
      prepared.kernel = *kernel;
      prepared.order = (*kernel)->weight_order;
      prepared.weight_elements = (*kernel)->weight_elements;
      scratchpad_bytes_ = std::max(scratchpad_bytes_, (*kernel)->scratchpad_bytes());
    } else if (kernel.status().code() == StatusCode::kUnsupported) {
      ConvProblem& problem = prepared.part.problem;
      problem.groups = 1;
      prepared.order = direct_weight_order(problem, step.destination.block);
      prepared.weight_elements =
          problem.out_channels * problem.in_channels * problem.kernel * problem.kernel;
    } else {
      return kernel.status();
    }
    prepared.offset = convs_.empty() ? 0 : convs_.back().end();
    convs_.push_back(std::move(prepared));
    return {};
  }

  const ChannelLayout& layout(int value) const { return plan_.layouts[static_cast<size_t>(value)]; }

  // Memory.
  // ----------------------------------------------------------------------------------------

  Status allocate(int64_t other_bytes) {
    std::vector<BufferRequest> requests = plan_.buffers;
    requests.push_back({.size_bytes = scratchpad_bytes_,
                        .first = 0,
                        .last = static_cast<int>(plan_.steps.size()) - 1});
    ArenaPlan arena = plan_arena(requests, kAlignmentBytes);
    offsets_ = std::move(arena.offsets);
    const int64_t weight_bytes = convs_.empty() ? 0 : convs_.back().end() * kFloatBytes;
    YOLOCU_RETURN_IF_ERROR(
        check_memory(static_cast<double>(arena.size_bytes + weight_bytes + other_bytes)));
    YOLOCU_ASSIGN_OR_RETURN(bound_.arena, AlignedBuffer::create(arena.size_bytes));
    YOLOCU_ASSIGN_OR_RETURN(bound_.weights, AlignedBuffer::create(weight_bytes));
    return {};
  }

  float* buffer(size_t number) const {
    return bound_.arena.floats().data() + offsets_[number] / kFloatBytes;
  }

  float* scratchpad() const { return buffer(plan_.buffers.size()); }

  // The picture's address, and no tensor's, is null until the run.
  Tensor tensor(const View& view) const {
    float* const data =
        view.buffer < 0 ? nullptr : buffer(static_cast<size_t>(view.buffer)) + view.offset;
    return {data, view.block, view.channels, view.height, view.width};
  }

  template <typename Step>
  Tensor destination(const Step& step) const {
    return tensor(step.destination);
  }
  static Tensor destination(const DecodeStep&) { return {}; }

  static SourcePlace source_place(const View& view) {
    return view.buffer == View::kPicture ? SourcePlace::kPicture : SourcePlace::kArena;
  }

  std::span<float> weights_of(const PreparedConv& conv) const {
    return bound_.weights.floats().subspan(static_cast<size_t>(conv.offset),
                                           static_cast<size_t>(conv.weight_elements));
  }

  std::span<float> bias_of(const PreparedConv& conv) const {
    return bound_.weights.floats().subspan(static_cast<size_t>(conv.bias_offset()),
                                           static_cast<size_t>(conv.part.problem.out_channels));
  }

  Status pack(const PreparedConv& conv) const {
    const ConvOp& op = *conv.part.conv;
    YOLOCU_RETURN_IF_ERROR(
        pack_weights(weights_of(conv), model_tensor(op.weight), conv.part, conv.order));
    if (op.bias.empty()) return {};
    return pack_bias(bias_of(conv), model_tensor(op.bias), conv.part);
  }

  // A convolution a task: one team of threads for all, as starting one waits for busy processors.
  Status pack_all() const {
    std::vector<Status> statuses(convs_.size());
    parallel_tasks(static_cast<int64_t>(convs_.size()), [&](int64_t i) {
      statuses[static_cast<size_t>(i)] =
          guarded([&] { return pack(convs_[static_cast<size_t>(i)]); });
    });
    for (const Status& status : statuses) YOLOCU_RETURN_IF_ERROR(status);
    return {};
  }

  // Work.
  // ------------------------------------------------------------------------------------------

  const TensorView& model_tensor(const std::string& name) const {
    return model_.tensors.find(name)->second;  // there, says validate_model
  }

  Result<Work> bind(const ConvStep& step) {
    const PreparedConv& prepared = convs_[next_conv_++];
    const auto weights = weights_of(prepared);
    const auto bias = bias_of(prepared);
    const SourcePlace place = source_place(step.source);
    if (prepared.kernel == nullptr) {
      return Work(DirectConvWork{tensor(step.destination), tensor(step.source),
                                 tensor(step.residual), place, weights.data(), bias.data(),
                                 prepared.part.problem});
    }
    YOLOCU_ASSIGN_OR_RETURN(
        auto call, library_.bind(prepared.kernel, {.destination = tensor(step.destination).data,
                                                   .source = tensor(step.source).data,
                                                   .weights = weights.data(),
                                                   .bias = bias.data(),
                                                   .residual = tensor(step.residual).data,
                                                   .scratchpad = scratchpad()}));
    return Work(KernelWork{std::move(call), place});
  }

  Result<Work> bind(const PoolStep& step) {
    YOLOCU_ASSIGN_OR_RETURN(const auto kernel, library_.pooling(step.problem));
    YOLOCU_ASSIGN_OR_RETURN(auto call,
                            library_.bind(kernel, {.destination = tensor(step.destination).data,
                                                   .source = tensor(step.source).data,
                                                   .scratchpad = scratchpad()}));
    return Work(KernelWork{std::move(call), SourcePlace::kArena});
  }

  Result<Work> bind(const UpsampleStep& step) {
    return Work(UpsampleWork{tensor(step.destination), tensor(step.source), step.factor});
  }

  Result<Work> bind(const AddStep& step) {
    AddWork work{tensor(step.destination), {}};
    for (const View& source : step.sources) work.sources.push_back(tensor(source));
    return Work(std::move(work));
  }

  Result<Work> bind(const CopyStep& step) {
    return Work(CopyWork{tensor(step.destination), tensor(step.source)});
  }

  Result<Work> bind(const GatherStep& step) {
    return Work(GatherWork{tensor(step.destination), tensor(step.source), source_place(step.source),
                           step.plan});
  }

  Result<Work> bind(const DecodeStep& step) {
    DecodeWork work{&nodes().back().op, {}};
    for (const View& view : step.heads) {
      const Tensor head = tensor(view);
      work.heads.push_back({.data = head.data,
                            .height = head.height,
                            .width = head.width,
                            .channels = head.channels,
                            .pixel_stride = head.block,
                            .image_stride = head.elements()});
    }
    return Work(std::move(work));
  }

  const CpuPlan& plan_;
  const Model& model_;
  OneDnn& library_;
  BoundPlan bound_;
  std::vector<PreparedConv> convs_;  // in the order of the plan
  size_t next_conv_ = 0;
  std::vector<int64_t> offsets_;  // of the plan's buffers, then the scratchpad; bytes
  int64_t scratchpad_bytes_ = 0;
};

}  // namespace

Result<BoundPlan> bind_plan(const CpuPlan& plan, const Model& model, OneDnn& library,
                            int64_t other_bytes) {
  return Binder(plan, model, library).run(other_bytes);
}

}  // namespace yolocu::cpu
