#include "engine/gpu/gpu_plan.h"

#include <algorithm>

#include "engine/base/str_cat.h"
#include "engine/gpu/fusion.h"
#include "engine/gpu/head_plan.h"
#include "engine/gpu/plan_buffers.h"
#include "engine/plan/placement.h"
#include "engine/plan/pool_chain.h"

namespace yolocu::gpu {
namespace {

// Groups stay groups where both sides hold each in an equal part of their padded channels, or one
// channel each; otherwise the convolution is dense with zero weights between groups.
int64_t padded_groups(const ConvOp& conv, const ChannelLayout& in, const ChannelLayout& out) {
  if (conv.groups == 1) return 1;
  if (in.channels() == conv.groups && out.channels() == conv.groups) {
    return in.padded_channels() == out.padded_channels() ? in.padded_channels() : 1;
  }
  return in.groups_evenly(conv.groups) && out.groups_evenly(conv.groups) ? conv.groups : 1;
}

std::vector<ConvWeightLayout> weight_layouts(const Graph& graph,
                                             const std::vector<ChannelLayout>& layouts) {
  std::vector<ConvWeightLayout> weights(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* conv = std::get_if<ConvOp>(&graph.nodes[i].op);
    if (conv == nullptr) continue;
    const ChannelLayout& in = layouts[static_cast<size_t>(graph.nodes[i].inputs[0])];
    weights[i] = {in, layouts[i], padded_groups(*conv, in, layouts[i])};
  }
  return weights;
}

class Planner {
 public:
  Planner(const ModelSpec& spec, const PlanOptions& options) : spec_(spec) {
    plan_.options = options;
  }

  Result<GpuPlan> run() {
    plan_.graph = chain_max_pools(spec_.graph);
    YOLOCU_ASSIGN_OR_RETURN(shapes_, infer_shapes(graph()));
    YOLOCU_ASSIGN_OR_RETURN(layouts_, plan_channel_layouts(graph(), shapes_, kChannelBlock));
    weights_ = weight_layouts(graph(), layouts_);
    placement_ = place_values(graph(), layouts_);
    fusion_ = plan_fusion(graph(), layouts_, placement_);
    buffers_.emplace(plan_, shapes_, layouts_, placement_);
    for (const ValueShape& shape : shapes_) plan_.channels.push_back(shape.channels);
    plan_.free_nodes.assign(graph().nodes.size(), nullptr);
    for (int i = 0; i < static_cast<int>(graph().nodes.size()); ++i) {
      if (const Status status = visit(i); !status.ok()) return status.with_context(node(i).name);
    }
    if (plan_.options.input == InputLifetime::kKept) {
      plan_.buffers[static_cast<size_t>(plan_.input)].last =
          static_cast<int>(plan_.steps.size()) - 1;
    }
    plan_.arena = plan_arena(plan_.buffers, kBufferAlignment);
    return std::move(plan_);
  }

 private:
  const Graph& graph() const { return plan_.graph; }
  const Node& node(int i) const { return graph().nodes[static_cast<size_t>(i)]; }
  const NodeFusion& fusion(int i) const { return fusion_[static_cast<size_t>(i)]; }
  const ChannelLayout& layout(int i) const { return layouts_[static_cast<size_t>(i)]; }
  DType dtype() const { return plan_.options.dtype; }

  MapView map(int value) { return buffers_->map(value); }
  MapView map(const Place& place) { return buffers_->map(place); }

  void add(int i, Work work) { plan_.steps.push_back({i, std::move(work)}); }

  // Input and heads. ----------------------------------------------------------------------------

  Status visit_input() {
    const MapView y = map(0);
    plan_.input_layout = layout(0);
    plan_.input = y.buffer;
    plan_.input_view = y.view;
    if (!plan_.options.detections) return {};
    if (layout(0).channels() != 3 || layout(0).segments().size() != 1) {
      return unsupported("a graph that takes the picture's channels apart");
    }
    LetterboxStep step{.y = y.buffer};
    step.problem = {.dtype = dtype(),
                    .batch = plan_.options.batch,
                    .height = y.height,
                    .width = y.width,
                    .channels = layout(0).padded_channels(),
                    .pad_value = spec_.letterbox.pad_value,
                    .y = y.view,
                    .alignment_bytes = kBufferAlignment};
    YOLOCU_ASSIGN_OR_RETURN(step.variant, select_letterbox(step.problem));
    add(0, step);
    return {};
  }

  // Convolutions. -------------------------------------------------------------------------------

  ConvProblem conv_problem(const ConvOp& conv, int i, const MapView& x) const {
    return {.dtype = dtype(),
            .batch = plan_.options.batch,
            .height = x.height,
            .width = x.width,
            .channels = layout(node(i).inputs[0]).padded_channels(),
            .out_channels = layout(i).padded_channels(),
            .filter_height = conv.kernel,
            .filter_width = conv.kernel,
            .stride = conv.stride,
            .padding = conv.padding,
            .groups = weights_[static_cast<size_t>(i)].groups,
            .activation = conv.activation,
            .negative_slope = conv.negative_slope,
            .x = x.view,
            .alignment_bytes = kBufferAlignment};
  }

  // Convolution i computes value `value`: its own, or that of the sum it is fused into.
  Status visit_conv(int i, int value) {
    const MapView x = map(node(i).inputs[0]);
    ConvStep step{.conv = i, .x = x.buffer};
    ConvProblem& problem = step.problem;
    problem = conv_problem(std::get<ConvOp>(node(i).op), i, x);
    const std::vector<ConvTarget>& targets = fusion(value).targets;
    const MapView y = map(targets[0].place);
    step.y = y.buffer;
    problem.y = y.view;
    problem.y_upsample = targets[0].upsample;
    if (targets.size() > 1) {
      const MapView second = map(targets[1].place);
      step.second = second.buffer;
      problem.second = ConvOutput{second.view, targets[1].upsample};
    }
    if (value != i) {
      const MapView residual = map(fusion(value).residual);
      step.residual = residual.buffer;
      problem.residual = residual.view;
    }
    YOLOCU_ASSIGN_OR_RETURN(step.choice, select_conv(problem, plan_.options.device));
    plan_.workspace_bytes =
        std::max(plan_.workspace_bytes, conv_workspace_bytes(step.choice, problem));
    add(value, step);
    return {};
  }

  // Other maps. ---------------------------------------------------------------------------------

  Status visit_pool(int i, PoolKind kind, int64_t window, int64_t stride, int64_t padding) {
    const MapView x = map(node(i).inputs[0]), y = map(i);
    PoolStep step{.y = y.buffer, .x = x.buffer};
    step.problem = {.kind = kind,
                    .dtype = dtype(),
                    .batch = plan_.options.batch,
                    .height = x.height,
                    .width = x.width,
                    .channels = layout(i).padded_channels(),
                    .window = window,
                    .stride = stride,
                    .padding = padding,
                    .x = x.view,
                    .y = y.view,
                    .alignment_bytes = kBufferAlignment};
    YOLOCU_ASSIGN_OR_RETURN(step.variant, select_pool(step.problem));
    add(i, step);
    return {};
  }

  // Value i = the sum of `terms`, each at its own extent.
  Status add_resize_sum(int i, std::span<const MapView> terms) {
    const MapView y = map(i);
    ResizeSumStep step{.y = y.buffer, .inputs = {}};
    step.problem = {.dtype = dtype(),
                    .batch = plan_.options.batch,
                    .out_height = y.height,
                    .out_width = y.width,
                    .channels = layout(i).padded_channels(),
                    .count = static_cast<int64_t>(terms.size()),
                    .y = y.view,
                    .alignment_bytes = kBufferAlignment};
    for (size_t t = 0; t < terms.size(); ++t) {
      step.inputs[t] = terms[t].buffer;
      step.problem.inputs[t] = {terms[t].height, terms[t].width, terms[t].view};
    }
    YOLOCU_ASSIGN_OR_RETURN(step.variant, select_resize_sum(step.problem));
    add(i, step);
    return {};
  }

  // More terms than one launch takes: the sum so far is the first term of the next.
  Status visit_sum(int i) {
    if (fusion(i).conv >= 0) return visit_conv(fusion(i).conv, i);
    const std::vector<int>& values = fusion(i).terms;
    std::vector<MapView> terms;
    for (size_t t = 0; t < values.size(); ++t) {
      terms.push_back(map(values[t]));
      if (terms.size() < kMostResizeInputs && t + 1 < values.size()) continue;
      YOLOCU_RETURN_IF_ERROR(add_resize_sum(i, terms));
      terms = {map(i)};
    }
    return {};
  }

  Status visit_concat(int i) {
    const Place whole = placement_.places[static_cast<size_t>(i)];
    for (const ConcatCopy& copy : fusion(i).copies) {
      const MapView y = map({whole.root, whole.channel + copy.channel}), x = map(copy.source);
      YOLOCU_ASSIGN_OR_RETURN(const CopyStep step, copy_step(plan_.options, y, x, copy.channels));
      add(i, step);
    }
    return {};
  }

  Status visit_space_to_depth(int i) {
    const MapView x = map(node(i).inputs[0]), y = map(i);
    const ChannelLayout& from = layout(node(i).inputs[0]);
    if (from.segments().size() != 1 || layout(i).segments().size() != 1) {
      return unsupported("ReOrg of channels with padding between them");
    }
    SpaceToDepthStep step{.y = y.buffer, .x = x.buffer};
    step.problem = {.dtype = dtype(),
                    .batch = plan_.options.batch,
                    .height = x.height,
                    .width = x.width,
                    .channels = from.channels(),
                    .padding = layout(i).padded_channels() - layout(i).channels(),
                    .x = x.view,
                    .y = y.view,
                    .alignment_bytes = kBufferAlignment};
    YOLOCU_ASSIGN_OR_RETURN(step.variant, select_space_to_depth(step.problem));
    add(i, step);
    return {};
  }

  // ---------------------------------------------------------------------------------------------

  Status skip(int i, const char* why) {
    plan_.free_nodes[static_cast<size_t>(i)] = why;
    return {};
  }

  Status visit(int i) {
    switch (fusion(i).role) {
      case Role::kLaunch: break;
      case Role::kView: return skip(i, "view");
      case Role::kConvInSum: return skip(i, "computed with the sum");
      case Role::kConvOutput: return skip(i, "stored by the convolution");
      case Role::kSumInput: return skip(i, "read by the sum");
      case Role::kUnused: return skip(i, "not needed");
    }
    const Op& op = node(i).op;
    if (std::holds_alternative<InputOp>(op)) return visit_input();
    if (std::holds_alternative<ConvOp>(op)) return visit_conv(i, i);
    if (const auto* max = std::get_if<MaxPoolOp>(&op)) {
      return visit_pool(i, PoolKind::kMax, max->kernel, max->stride, max->padding);
    }
    if (const auto* mean = std::get_if<AvgPoolOp>(&op)) {
      return visit_pool(i, PoolKind::kMean, mean->kernel, mean->stride, 0);
    }
    if (std::holds_alternative<UpsampleOp>(op)) {
      const MapView x = map(node(i).inputs[0]);
      return add_resize_sum(i, {&x, 1});
    }
    if (std::holds_alternative<AddOp>(op)) return visit_sum(i);
    if (std::holds_alternative<ConcatOp>(op)) return visit_concat(i);
    if (std::holds_alternative<SpaceToDepthOp>(op)) return visit_space_to_depth(i);
    return plan_head(plan_, i, *buffers_, layouts_);
  }

  const ModelSpec& spec_;
  GpuPlan plan_;
  std::vector<ValueShape> shapes_;
  std::vector<ChannelLayout> layouts_;
  std::vector<ConvWeightLayout> weights_;
  Placement placement_;
  std::vector<NodeFusion> fusion_;
  std::optional<PlanBuffers> buffers_;
};

}  // namespace

Result<std::vector<ConvWeightLayout>> plan_conv_weights(const Graph& graph,
                                                        const std::vector<ValueShape>& shapes) {
  YOLOCU_ASSIGN_OR_RETURN(const std::vector<ChannelLayout> layouts,
                          plan_channel_layouts(graph, shapes, kChannelBlock));
  return weight_layouts(graph, layouts);
}

Result<GpuPlan> make_gpu_plan(const ModelSpec& spec, const PlanOptions& options) {
  return Planner(spec, options).run();
}

}  // namespace yolocu::gpu
