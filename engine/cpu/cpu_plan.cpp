#include "engine/cpu/cpu_plan.h"

#include <algorithm>
#include <array>

#include "engine/plan/placement.h"

namespace yolocu::cpu {
namespace {

constexpr int kUnused = -1;

class Planner {
 public:
  Planner(const Graph& graph, const std::vector<ValueShape>& shapes, int64_t height, int64_t width,
          int64_t block)
      : graph_(graph), shapes_(shapes), height_(height), width_(width), block_(block) {}

  Result<CpuPlan> run() {
    YOLOCU_ASSIGN_OR_RETURN(plan_.layouts, plan_channel_layouts(graph_, shapes_, block_));
    plan_.picture_layout = ChannelLayout::dense(shape(0).channels);
    placement_ = place_values(graph_, plan_.layouts);
    buffer_of_root_.assign(graph_.nodes.size(), kUnused);
    find_fused_adds();
    if (needs_blocked_picture()) {
      gather_step(0, blocked(0), picture(),
                  plan_relayout(layout(0), block_, picture_layout(), picture_layout().channels()));
    }
    for (int i = 1; i < count(); ++i) visit(i);
    return std::move(plan_);
  }

 private:
  int count() const { return static_cast<int>(graph_.nodes.size()); }
  const Node& node(int i) const { return graph_.nodes[static_cast<size_t>(i)]; }
  const ValueShape& shape(int i) const { return shapes_[static_cast<size_t>(i)]; }
  const ChannelLayout& layout(int i) const { return plan_.layouts[static_cast<size_t>(i)]; }
  const ChannelLayout& picture_layout() const { return plan_.picture_layout; }

  // Views. ---------------------------------------------------------------------------------------

  View feature_map(int value) const {
    const ValueShape& s = shape(value);
    return {.block = block_,
            .channels = layout(value).padded_channels(),
            .height = s.extent.at(height_),
            .width = s.extent.at(width_)};
  }

  int new_buffer(int64_t elements) {
    plan_.buffers.push_back({.size_bytes = elements * static_cast<int64_t>(sizeof(float)),
                             .first = static_cast<int>(plan_.steps.size()),
                             .last = static_cast<int>(plan_.steps.size())});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  // Channels [place.channel, + channels) of a root, live at the step that is about to be added.
  View blocked(const Place& place, int64_t channels) {
    View view = feature_map(place.root);
    const int64_t pixels = view.height * view.width;
    int& buffer = buffer_of_root_[static_cast<size_t>(place.root)];
    if (buffer == kUnused) buffer = new_buffer(view.channels * pixels);
    plan_.buffers[static_cast<size_t>(buffer)].last = static_cast<int>(plan_.steps.size());
    view.buffer = buffer;
    view.offset = place.channel * pixels;
    view.channels = channels;
    return view;
  }

  View blocked(int value) {
    return blocked(placement_.places[static_cast<size_t>(value)], layout(value).padded_channels());
  }

  View picture() const {
    return {.buffer = View::kPicture,
            .block = shape(0).channels,
            .channels = shape(0).channels,
            .height = height_,
            .width = width_};
  }

  // Steps. ---------------------------------------------------------------------------------------

  template <typename Work>
  void add_step(int node_number, Work work) {
    plan_.steps.push_back({node_number, std::move(work)});
  }

  void gather_step(int i, const View& destination, const View& source, Gather gather) {
    add_step(i, GatherStep{destination, source, std::move(gather)});
  }

  void free_step(int i, const char* what) { plan_.views.push_back({node(i).name, what}); }

  // A convolution whose sum with something else is its only use is computed when the sum is due,
  // and adds the other operand itself.
  void find_fused_adds() {
    fused_into_.assign(graph_.nodes.size(), kUnused);
    std::vector<int> uses(graph_.nodes.size(), 0);
    for (const Node& n : graph_.nodes) {
      for (const int input : n.inputs) ++uses[static_cast<size_t>(input)];
    }
    for (int i = 0; i < count(); ++i) {
      const auto& inputs = node(i).inputs;
      if (!std::holds_alternative<AddOp>(node(i).op) || inputs.size() != 2) continue;
      const int later = std::max(inputs[0], inputs[1]);
      if (uses[static_cast<size_t>(later)] != 1 || reads_picture(later)) continue;
      if (std::holds_alternative<ConvOp>(node(later).op)) {
        fused_into_[static_cast<size_t>(later)] = i;
      }
    }
  }

  // Convolutions on the picture itself read it as it is: three channels would fill a block badly.
  bool reads_picture(int i) const {
    const auto* conv = std::get_if<ConvOp>(&node(i).op);
    return conv != nullptr && conv->groups == 1 && node(i).inputs[0] == 0;
  }

  bool needs_blocked_picture() const {
    for (int i = 1; i < count(); ++i) {
      if (reads_picture(i) || std::holds_alternative<SpaceToDepthOp>(node(i).op)) continue;
      const auto& inputs = node(i).inputs;
      if (std::find(inputs.begin(), inputs.end(), 0) != inputs.end()) return true;
    }
    return false;
  }

  ConvProblem conv_problem(const ConvOp& conv, const View& source, const View& destination) const {
    return {.in_channels = source.channels,
            .in_height = source.height,
            .in_width = source.width,
            .out_channels = destination.channels,
            .out_height = destination.height,
            .out_width = destination.width,
            .kernel = conv.kernel,
            .stride = conv.stride,
            .padding = conv.padding,
            .groups = 1,
            .activation = conv.activation,
            .negative_slope = conv.negative_slope};
  }

  // One block of outputs a step: of oneDNN's orders NHWC alone takes the picture as it is, and one
  // block in NHWC is a block of ours.
  void visit_picture_conv(int i, const ConvOp& conv) {
    const View all = blocked(i);
    for (int64_t begin = 0; begin < all.channels; begin += block_) {
      ConvStep step{.conv = i, .destination = blocked(i), .source = picture(), .out_begin = begin};
      step.destination.offset += begin * all.height * all.width;
      step.destination.channels = block_;
      step.problem = conv_problem(conv, step.source, step.destination);
      step.problem.source = SourceOrder::kPixels;
      add_step(i, step);
    }
  }

  // Groups stay groups where both sides hold each in whole blocks, or one channel each; otherwise
  // the convolution is dense with zero weights between groups.
  int64_t padded_groups(const ConvOp& conv, int in, int out) const {
    const ChannelLayout& from = layout(in);
    const ChannelLayout& to = layout(out);
    const int64_t groups = conv.groups;
    if (groups == 1) return 1;
    if (from.channels() == groups && to.channels() == groups) {
      return from.padded_channels() == to.padded_channels() ? from.padded_channels() : 1;
    }
    const bool even = from.groups_evenly(groups) && to.groups_evenly(groups) &&
                      from.padded_channels() / groups % block_ == 0 &&
                      to.padded_channels() / groups % block_ == 0;
    return even ? groups : 1;
  }

  // value: i, or the sum that takes i's place.
  void visit_conv(int i, int value, const ConvOp& conv) {
    const int input = node(i).inputs[0];
    ConvStep step{.conv = i, .destination = blocked(value), .source = blocked(input)};
    step.problem = conv_problem(conv, step.source, step.destination);
    step.problem.groups = padded_groups(conv, input, i);
    if (value != i) {
      const auto& terms = node(value).inputs;
      step.residual = blocked(terms[0] == i ? terms[1] : terms[0]);
      step.problem.residual = Residual::kAdd;
      free_step(i, "fused into the sum");
    }
    add_step(value, step);
  }

  void visit_pool(int i, PoolKind kind, int64_t kernel, int64_t stride, int64_t padding) {
    PoolStep step{.destination = blocked(i), .source = blocked(node(i).inputs[0])};
    step.problem = {kind,
                    step.source.channels,
                    step.source.height,
                    step.source.width,
                    step.destination.height,
                    step.destination.width,
                    kernel,
                    stride,
                    padding};
    add_step(i, step);
  }

  void visit_add(int i) {
    const auto& inputs = node(i).inputs;
    for (const int input : inputs) {
      if (fused_into_[static_cast<size_t>(input)] != i) continue;
      return visit_conv(input, i, std::get<ConvOp>(node(input).op));
    }
    AddStep step{.destination = blocked(i), .sources = {}};
    for (const int input : inputs) step.sources.push_back(blocked(input));
    add_step(i, std::move(step));
  }

  void visit_concat(int i) {
    const auto& copies = placement_.copies[static_cast<size_t>(i)];
    if (copies.empty()) return free_step(i, "view");
    const Place whole = placement_.places[static_cast<size_t>(i)];
    for (const ConcatCopy& c : copies) {
      CopyStep step{.destination = blocked({whole.root, whole.channel + c.channel}, c.channels),
                    .source = blocked(c.source, c.channels)};
      add_step(i, step);
    }
  }

  void visit_space_to_depth(int i) {
    const int input = node(i).inputs[0];
    if (input == 0) {
      const ChannelLayout& from = picture_layout();
      return gather_step(i, blocked(i), picture(),
                         plan_space_to_depth(layout(i), block_, from, from.channels()));
    }
    gather_step(i, blocked(i), blocked(input),
                plan_space_to_depth(layout(i), block_, layout(input), block_));
  }

  // Each head to NHWC, then all of them to predictions.
  void visit_decode(int i) {
    DecodeStep decode;
    for (const int head : node(i).inputs) {
      const ChannelLayout dense = ChannelLayout::dense(shape(head).channels);
      View pixels = feature_map(head);
      pixels.block = pixels.channels = dense.channels();
      pixels.buffer = new_buffer(pixels.channels * pixels.height * pixels.width);
      gather_step(i, pixels, blocked(head),
                  plan_relayout(dense, dense.channels(), layout(head), block_));
      decode.heads.push_back(pixels);
    }
    for (const View& head : decode.heads) {
      plan_.buffers[static_cast<size_t>(head.buffer)].last = static_cast<int>(plan_.steps.size());
    }
    add_step(i, std::move(decode));
  }

  void visit(int i) {
    const Op& op = node(i).op;
    if (const auto* conv = std::get_if<ConvOp>(&op)) {
      if (reads_picture(i)) return visit_picture_conv(i, *conv);
      if (fused_into_[static_cast<size_t>(i)] == kUnused) visit_conv(i, i, *conv);
    } else if (const auto* max = std::get_if<MaxPoolOp>(&op)) {
      visit_pool(i, PoolKind::kMax, max->kernel, max->stride, max->padding);
    } else if (const auto* mean = std::get_if<AvgPoolOp>(&op)) {
      visit_pool(i, PoolKind::kAverage, mean->kernel, mean->stride, 0);
    } else if (const auto* up = std::get_if<UpsampleOp>(&op)) {
      add_step(i, UpsampleStep{blocked(i), blocked(node(i).inputs[0]), up->factor});
    } else if (std::holds_alternative<AddOp>(op)) {
      visit_add(i);
    } else if (std::holds_alternative<ConcatOp>(op)) {
      visit_concat(i);
    } else if (std::holds_alternative<SliceOp>(op)) {
      free_step(i, "view");
    } else if (std::holds_alternative<SpaceToDepthOp>(op)) {
      visit_space_to_depth(i);
    } else {
      visit_decode(i);
    }
  }

  const Graph& graph_;
  const std::vector<ValueShape>& shapes_;
  int64_t height_, width_, block_;
  CpuPlan plan_;
  Placement placement_;
  std::vector<int> buffer_of_root_;  // kUnused: none yet
  std::vector<int> fused_into_;      // the sum that computes this convolution, or kUnused
};

}  // namespace

Result<CpuPlan> make_cpu_plan(const Graph& graph, const std::vector<ValueShape>& shapes,
                              int64_t height, int64_t width, int64_t block) {
  return Planner(graph, shapes, height, width, block).run();
}

}  // namespace yolocu::cpu
