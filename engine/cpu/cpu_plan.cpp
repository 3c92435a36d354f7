#include "engine/cpu/cpu_plan.h"

#include <algorithm>
#include <array>

#include "engine/base/str_cat.h"
#include "engine/plan/placement.h"

namespace yolocu::cpu {
namespace {

constexpr int kUnused = -1;

class Planner {
 public:
  Planner(const Graph& graph, const std::vector<ValueShape>& shapes, int64_t height, int64_t width,
          int64_t block, Element element)
      : graph_(graph),
        shapes_(shapes),
        height_(height),
        width_(width),
        block_(block),
        element_(element) {}

  Result<CpuPlan> run() {
    YOLOCU_ASSIGN_OR_RETURN(plan_.layouts, plan_channel_layouts(graph_, shapes_, block_));
    plan_.picture_layout = ChannelLayout::dense(shape(0).channels);
    placement_ = place_values(graph_, plan_.layouts);
    plan_.scales.resize(graph_.nodes.size());
    if (element_ == Element::kI8) {
      YOLOCU_ASSIGN_OR_RETURN(plan_.scales, infer_scales(graph_, shapes_));
      YOLOCU_RETURN_IF_ERROR(check_int8());
    }
    buffer_of_root_.assign(graph_.nodes.size(), kUnused);
    count_uses();
    find_heads();
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

  int new_buffer(int64_t elements, Element element) {
    plan_.buffers.push_back({.size_bytes = elements * element_bytes(element),
                             .first = static_cast<int>(plan_.steps.size()),
                             .last = static_cast<int>(plan_.steps.size())});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  bool is_int8(int value) const { return !plan_.scales[static_cast<size_t>(value)].empty(); }

  Element element(int root) const {
    if (is_head_[static_cast<size_t>(root)] != 0) return Element::kF32;
    if (element_ != Element::kI8) return element_;
    return is_int8(root) ? Element::kI8 : Element::kBf16;
  }

  // The quantizer makes no such graphs.
  Status check_int8() const {
    for (int i = 1; i < count(); ++i) {
      const auto* conv = std::get_if<ConvOp>(&node(i).op);
      if (conv == nullptr || !conv->accumulator_scale.empty() || !is_int8(node(i).inputs[0])) {
        continue;
      }
      return unsupported(str_cat("node '", node(i).name,
                                 "': a convolution in floating point of an int8 value does not "
                                 "run on the cpu device in int8; use --precision bf16 or fp32"));
    }
    return {};
  }

  // Channels [place.channel, + channels) of a root, live at the step that is about to be added.
  View blocked(const Place& place, int64_t channels) {
    View view = feature_map(place.root);
    const int64_t pixels = view.height * view.width;
    int& buffer = buffer_of_root_[static_cast<size_t>(place.root)];
    view.element = element(place.root);
    if (buffer == kUnused) buffer = new_buffer(view.channels * pixels, view.element);
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

  void count_uses() {
    uses_.assign(graph_.nodes.size(), 0);
    for (const Node& n : graph_.nodes) {
      for (const int input : n.inputs) ++uses_[static_cast<size_t>(input)];
    }
  }

  // Convolutions that nothing but the decoding reads give it all the digits they have.
  void find_heads() {
    is_head_.assign(graph_.nodes.size(), 0);
    for (const int head : graph_.nodes.back().inputs) {
      const auto i = static_cast<size_t>(head);
      const bool is_root = placement_.places[i].root == head;
      if (is_root && uses_[i] == 1 && std::holds_alternative<ConvOp>(node(head).op))
        is_head_[i] = 1;
    }
  }

  // A convolution whose sum with something else is its only use is computed when the sum is due,
  // and adds the other operand itself.
  void find_fused_adds() {
    fused_into_.assign(graph_.nodes.size(), kUnused);
    for (int i = 0; i < count(); ++i) {
      const auto& inputs = node(i).inputs;
      if (!std::holds_alternative<AddOp>(node(i).op) || inputs.size() != 2) continue;
      const int later = std::max(inputs[0], inputs[1]);
      if (uses_[static_cast<size_t>(later)] != 1 || reads_picture(later)) continue;
      if (is_int8(later)) continue;  // rounded before the sum
      const int other = std::min(inputs[0], inputs[1]);
      const auto root = [this](int value) {
        return placement_.places[static_cast<size_t>(value)].root;
      };
      if (element(root(other)) != element(root(i))) continue;
      if (std::holds_alternative<ConvOp>(node(later).op)) {
        fused_into_[static_cast<size_t>(later)] = i;
      }
    }
  }

  // Convolutions on the picture itself read it as it is, where there is a kernel: three channels
  // fill a block badly.
  bool reads_picture(int i) const {
    const auto* conv = std::get_if<ConvOp>(&node(i).op);
    return conv != nullptr && conv->groups == 1 && node(i).inputs[0] == 0 && conv->kernel == 3 &&
           conv->stride <= 2;
  }

  bool needs_blocked_picture() const {
    for (int i = 1; i < count(); ++i) {
      if (reads_picture(i) || std::holds_alternative<SpaceToDepthOp>(node(i).op)) continue;
      const auto& inputs = node(i).inputs;
      if (std::find(inputs.begin(), inputs.end(), 0) != inputs.end()) return true;
    }
    return false;
  }

  ConvShape conv_shape(const ConvOp& conv, const View& source, const View& destination) const {
    const bool is_picture = source.buffer == View::kPicture;
    return {.source = source.element,
            .destination = destination.element,
            .layout = is_picture ? SourceLayout::kPicture : SourceLayout::kBlocked,
            .in_channels = source.channels,
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
    ConvStep step{.conv = i,
                  .destination = blocked(value),
                  .source = reads_picture(i) ? picture() : blocked(input)};
    step.shape = conv_shape(conv, step.source, step.destination);
    step.output_scale = conv.output_scale;
    if (!reads_picture(i)) step.shape.groups = padded_groups(conv, input, i);
    if (value != i) {
      const auto& terms = node(value).inputs;
      step.residual_value = terms[0] == i ? terms[1] : terms[0];
      step.residual = blocked(step.residual_value);
      step.output_scale = std::get<AddOp>(node(value).op).output_scale;
      free_step(i, "fused into the sum");
    }
    add_step(value, step);
  }

  void visit_pool(int i, PoolKind kind, int64_t kernel, int64_t stride, int64_t padding) {
    PoolStep step{.destination = blocked(i), .source = blocked(node(i).inputs[0])};
    step.shape = {step.source.element,
                  kind,
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
    AddStep step{.destination = blocked(i),
                 .sources = {},
                 .inputs = inputs,
                 .output_scale = std::get<AddOp>(node(i).op).output_scale};
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

  void visit_decode(int i) {
    DecodeStep decode;
    for (const int head : node(i).inputs) {
      const ChannelLayout dense = ChannelLayout::dense(shape(head).channels);
      decode.heads.push_back({blocked(head), dense.channels(),
                              plan_relayout(dense, dense.channels(), layout(head), block_)});
    }
    add_step(i, std::move(decode));
  }

  void visit(int i) {
    const Op& op = node(i).op;
    if (const auto* conv = std::get_if<ConvOp>(&op)) {
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
  Element element_;
  CpuPlan plan_;
  Placement placement_;
  std::vector<int> buffer_of_root_;  // kUnused: none yet
  std::vector<int> uses_;            // how many nodes read each value
  std::vector<char> is_head_;
  std::vector<int> fused_into_;  // the sum that computes this convolution, or kUnused
};

}  // namespace

Result<CpuPlan> make_cpu_plan(const Graph& graph, const std::vector<ValueShape>& shapes,
                              int64_t height, int64_t width, int64_t block, Element element) {
  return Planner(graph, shapes, height, width, block, element).run();
}

}  // namespace yolocu::cpu
