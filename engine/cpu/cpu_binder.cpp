#include "engine/cpu/cpu_binder.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "engine/base/checked.h"
#include "engine/base/guard.h"
#include "engine/base/str_cat.h"
#include "engine/cpu/conv_weights.h"
#include "engine/cpu/kernels/kernel_table.h"
#include "engine/memory_limit.h"

namespace yolocu::cpu {
namespace {

constexpr int64_t kAlignmentBytes = 64;  // a cache line, and the widest vector register

// A convolution before it has memory.
struct PreparedConv {
  ConvPart part;
  ConvTask task;
  ConvChoice choice;
  std::vector<float> residual_scales;  // by positions; empty: not int8
  int64_t weight_bytes = 0;
  int64_t offset = 0;  // of the weights in the weight buffer, bytes; the bias follows

  // Lists of [out_channels]: biases and, where int8 is read or written, what it is worth.
  enum List : int64_t { kBias, kScale, kCompensation, kResidualScale };

  bool has_int8() const {
    return task.shape.source == Element::kI8 || task.shape.destination == Element::kI8;
  }
  int64_t list_bytes() const { return round_up(task.shape.out_channels * 4, kAlignmentBytes); }
  int64_t list_offset(List list) const {
    return offset + round_up(weight_bytes, kAlignmentBytes) + list * list_bytes();
  }
  int64_t end() const { return list_offset(kBias) + (has_int8() ? 4 : 1) * list_bytes(); }
};

class Binder {
 public:
  Binder(const CpuPlan& plan, const Model& model, Team& team, ConvPolicy policy)
      : plan_(plan), model_(model), team_(team), policy_(policy), kernels_(kernel_table()) {}

  Result<BoundPlan> run(int64_t other_bytes) {
    for (const Step& step : plan_.steps) YOLOCU_RETURN_IF_ERROR(prepare(step));
    YOLOCU_RETURN_IF_ERROR(allocate(other_bytes));
    for (const Step& step : plan_.steps) {
      bound_.work.push_back(std::visit([this](const auto& s) { return bind(s); }, step.work));
      bound_.destinations.push_back(
          std::visit([this](const auto& s) { return destination(s); }, step.work));
    }
    YOLOCU_RETURN_IF_ERROR(pack_all());
    return std::move(bound_);
  }

 private:
  const std::vector<Node>& nodes() const { return model_.spec.graph.nodes; }

  // Kernels, before anything is allocated: they say how much scratch and weights they need. -----

  Status prepare(const Step& step) {
    if (const auto* conv = std::get_if<ConvStep>(&step.work)) return prepare_conv(*conv);
    if (const auto* add = std::get_if<AddStep>(&step.work)) prepare_add(*add);
    if (const auto* pool = std::get_if<PoolStep>(&step.work)) {
      PoolTask task;
      task.shape = pool->shape;
      need_scratch(task.scratch_bytes(kernels_.lanes));
    }
    if (const auto* decode = std::get_if<DecodeStep>(&step.work)) {
      need_scratch(decode_task(*decode).scratch_bytes());
    }
    return {};
  }

  // Scales of its int8 operands, by positions.
  void prepare_add(const AddStep& step) {
    std::vector<std::vector<float>>& scales = add_scales_.emplace_back();
    for (const int input : step.inputs) scales.push_back(scales_by_position(input));
  }

  std::vector<float> scales_by_position(int value) const {
    const ChannelScales& scales = plan_.scales[static_cast<size_t>(value)];
    if (scales.empty()) return {};
    std::vector<float> list(static_cast<size_t>(layout(value).padded_channels()));
    const std::vector<float> of_channels = scale_of_channels(scales);
    for (int64_t c = 0; c < layout(value).channels(); ++c) {
      list[static_cast<size_t>(layout(value).position(c))] = of_channels[static_cast<size_t>(c)];
    }
    return list;
  }

  void need_scratch(int64_t bytes) {
    bound_.scratch_bytes = std::max(bound_.scratch_bytes, round_up(bytes, kAlignmentBytes));
  }

  Status prepare_conv(const ConvStep& step) {
    const Node& node = nodes()[static_cast<size_t>(step.conv)];
    PreparedConv prepared;
    prepared.part = {.conv = &std::get<ConvOp>(node.op),
                     .in = step.source.buffer == View::kPicture ? &plan_.picture_layout
                                                                : &layout(node.inputs[0]),
                     .out = &layout(step.conv)};
    const bool is_exact = step.shape.source != Element::kI8 ||
                          fits_winograd(model_tensor(prepared.part.conv->weight));
    prepared.choice =
        choose_algorithm(step.shape, kernels_, is_exact ? policy_ : ConvPolicy::kByDefinition);
    prepared.task = plan_conv(step.shape, prepared.choice, kernels_, team_.threads());
    const ConvAlgorithm algorithm = prepared.choice.algorithm;
    prepared.weight_bytes = weight_elements(prepared.task, algorithm, kernels_.lanes) *
                            element_bytes(weight_element(step.shape, algorithm));
    prepared.offset = convs_.empty() ? 0 : convs_.back().end();
    need_scratch(prepared.task.scratch_bytes);
    if (step.residual.buffer != View::kNone) {
      prepared.residual_scales = scales_by_position(step.residual_value);
    }
    convs_.push_back(std::move(prepared));
    return {};
  }

  const ChannelLayout& layout(int value) const { return plan_.layouts[static_cast<size_t>(value)]; }

  // Memory.
  // ----------------------------------------------------------------------------------------

  Status allocate(int64_t other_bytes) {
    ArenaPlan arena = plan_arena(plan_.buffers, kAlignmentBytes);
    offsets_ = std::move(arena.offsets);
    const int64_t weight_bytes = convs_.empty() ? 0 : convs_.back().end();
    const int64_t scratch_bytes = bound_.scratch_bytes * team_.threads();
    YOLOCU_RETURN_IF_ERROR(check_memory(
        static_cast<double>(arena.size_bytes + weight_bytes + scratch_bytes + other_bytes)));
    YOLOCU_ASSIGN_OR_RETURN(bound_.arena, AlignedBuffer::create(arena.size_bytes));
    YOLOCU_ASSIGN_OR_RETURN(bound_.weights, AlignedBuffer::create(weight_bytes));
    YOLOCU_ASSIGN_OR_RETURN(bound_.scratch, AlignedBuffer::create(scratch_bytes));
    return {};
  }

  // Addresses are null before allocate(), the picture's until the run.
  Tensor tensor(const View& view) const {
    std::byte* data = nullptr;
    if (view.buffer >= 0 && !offsets_.empty()) {
      data = bound_.arena.data() + offsets_[static_cast<size_t>(view.buffer)] +
             view.offset * element_bytes(view.element);
    }
    return {data, view.element, view.block, view.channels, view.height, view.width};
  }

  template <typename Step>
  Tensor destination(const Step& step) const {
    return tensor(step.destination);
  }
  static Tensor destination(const DecodeStep&) { return {}; }

  static SourcePlace source_place(const View& view) {
    return view.buffer == View::kPicture ? SourcePlace::kPicture : SourcePlace::kArena;
  }

  Status pack(const PreparedConv& conv) const {
    const ConvOp& op = *conv.part.conv;
    const std::span<std::byte> weights(bound_.weights.data() + conv.offset,
                                       static_cast<size_t>(conv.weight_bytes));
    YOLOCU_RETURN_IF_ERROR(pack_weights(weights, model_tensor(op.weight), conv.part, conv.task,
                                        conv.choice.algorithm, kernels_.lanes));
    std::copy(conv.residual_scales.begin(), conv.residual_scales.end(),
              list<float>(conv, PreparedConv::kResidualScale).begin());
    if (conv.task.shape.source == Element::kI8) {
      if (conv.choice.algorithm != ConvAlgorithm::kWinograd) {
        pack_compensation(list<int32_t>(conv, PreparedConv::kCompensation), model_tensor(op.weight),
                          conv.part);
      }
      YOLOCU_RETURN_IF_ERROR(pack_channels(list<float>(conv, PreparedConv::kScale),
                                           model_tensor(op.accumulator_scale), conv.part));
    }
    if (op.bias.empty()) return {};
    return pack_channels(list<float>(conv, PreparedConv::kBias), model_tensor(op.bias), conv.part);
  }

  // Empty if the convolution has no such list.
  template <typename T>
  std::span<T> list(const PreparedConv& conv, PreparedConv::List which) const {
    if (which != PreparedConv::kBias && !conv.has_int8()) return {};
    return {reinterpret_cast<T*>(bound_.weights.data() + conv.list_offset(which)),
            static_cast<size_t>(conv.task.shape.out_channels)};
  }

  // A convolution a chunk.
  Status pack_all() const {
    std::vector<Status> statuses(convs_.size());
    team_.run(static_cast<int64_t>(convs_.size()), [&](int64_t i, int) {
      const PreparedConv& conv = convs_[static_cast<size_t>(i)];
      statuses[static_cast<size_t>(i)] = guarded([&] {
        const Status status = pack(conv);
        return status.ok() ? status : status.with_context("weights " + conv.part.conv->weight);
      });
    });
    for (const Status& status : statuses) YOLOCU_RETURN_IF_ERROR(status);
    return {};
  }

  // Work.
  // ------------------------------------------------------------------------------------------

  const TensorView& model_tensor(const std::string& name) const {
    return model_.tensors.find(name)->second;  // there, says validate_model
  }

  Work bind(const ConvStep& step) {
    const PreparedConv& prepared = convs_[next_conv_++];
    ConvWork work{prepared.task, prepared.choice, source_place(step.source)};
    work.task.source = tensor(step.source).data;
    work.task.destination = tensor(step.destination).data;
    work.task.residual = tensor(step.residual).data;
    work.task.weights = bound_.weights.data() + prepared.offset;
    work.task.bias = list<float>(prepared, PreparedConv::kBias).data();
    work.task.scale = list<float>(prepared, PreparedConv::kScale).data();
    work.task.compensation = list<int32_t>(prepared, PreparedConv::kCompensation).data();
    work.task.residual_scale = list<float>(prepared, PreparedConv::kResidualScale).data();
    if (step.output_scale > 0) work.task.inverse_output_scale = 1.0f / step.output_scale;
    return work;
  }

  Work bind(const PoolStep& step) const {
    return PoolWork{{step.shape, tensor(step.destination).data, tensor(step.source).data},
                    kernels_.pool(step.shape)};
  }

  Work bind(const UpsampleStep& step) const {
    return UpsampleWork{tensor(step.destination), tensor(step.source), step.factor};
  }

  Work bind(const AddStep& step) {
    const Tensor destination = tensor(step.destination);
    AddTask task{.destination = destination.data,
                 .element = destination.element,
                 .sources = {},
                 .channels = destination.channels,
                 .pixels = destination.pixels()};
    if (step.output_scale > 0) task.inverse_output_scale = 1.0f / step.output_scale;
    bound_.add_scales.push_back(std::move(add_scales_[bound_.add_scales.size()]));
    const std::vector<std::vector<float>>& scales = bound_.add_scales.back();
    for (size_t i = 0; i < step.sources.size(); ++i) {
      const Tensor source = tensor(step.sources[i]);
      task.sources.push_back({source.data, source.element, scales[i].data()});
    }
    return AddWork{std::move(task)};
  }

  Work bind(const CopyStep& step) const {
    return CopyWork{tensor(step.destination), tensor(step.source)};
  }

  Work bind(const GatherStep& step) const {
    return GatherWork{tensor(step.destination), tensor(step.source), source_place(step.source),
                      step.plan};
  }

  DecodeTask decode_task(const DecodeStep& step) const {
    DecodeTask task{&nodes().back().op, {}};
    for (const DecodeStep::Head& head : step.heads) {
      task.heads.push_back({tensor(head.view), head.channels, head.to_pixels});
    }
    return task;
  }

  Work bind(const DecodeStep& step) const { return DecodeWork{decode_task(step)}; }

  const CpuPlan& plan_;
  const Model& model_;
  Team& team_;
  ConvPolicy policy_;
  const KernelTable& kernels_;
  BoundPlan bound_;
  std::vector<PreparedConv> convs_;                          // in the order of the plan
  std::vector<std::vector<std::vector<float>>> add_scales_;  // of each sum, of each operand
  size_t next_conv_ = 0;
  std::vector<int64_t> offsets_;  // of the plan's buffers, bytes
};

}  // namespace

Result<BoundPlan> bind_plan(const CpuPlan& plan, const Model& model, Team& team,
                            int64_t other_bytes, ConvPolicy policy) {
  return Binder(plan, model, team, policy).run(other_bytes);
}

}  // namespace yolocu::cpu
