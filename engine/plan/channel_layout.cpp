#include "engine/plan/channel_layout.h"

#include <algorithm>
#include <set>

#include "engine/base/checked.h"

namespace yolocu {

ChannelLayout::ChannelLayout(int64_t channels, const std::vector<int64_t>& cuts, int64_t block)
    : channels_(channels) {
  int64_t begin = 0;
  const auto add_segment = [&](int64_t end) {
    segments_.push_back({begin, end - begin, padded_channels_});
    padded_channels_ += round_up(end - begin, block);
    begin = end;
  };
  for (const int64_t cut : cuts) {
    if ((cut - begin) % block != 0) add_segment(cut);  // else a block starts there anyway
  }
  add_segment(channels);
}

ChannelLayout ChannelLayout::dense(int64_t channels) {
  return ChannelLayout(channels, {}, 1);
}

int64_t ChannelLayout::position(int64_t c) const {
  if (c == channels_) return padded_channels_;
  const auto after = std::upper_bound(
      segments_.begin(), segments_.end(), c,
      [](int64_t channel, const ChannelSegment& segment) { return channel < segment.begin; });
  const ChannelSegment& segment = *(after - 1);
  return segment.position + c - segment.begin;
}

bool ChannelLayout::groups_evenly(int64_t groups) const {
  if (channels_ % groups != 0 || padded_channels_ % groups != 0) return false;
  for (int64_t g = 0; g < groups; ++g) {
    if (position(channels_ / groups * g) != padded_channels_ / groups * g) return false;
  }
  return true;
}

namespace {

using Cuts = std::set<int64_t>;
// Of all values together. The official networks have some hundreds; slices upon slices multiply.
constexpr int64_t kMaxCuts = 100'000;
enum class Changed : uint8_t { kNo, kYes };

// Finds the cuts of all values by passing them along the graph until nothing changes.
class CutPlanner {
 public:
  CutPlanner(const Graph& graph, const std::vector<ValueShape>& shapes, int64_t block)
      : graph_(graph), shapes_(shapes), block_(block), cuts_(graph.nodes.size()) {}

  // Passes in alternating directions: one reaches all users of a cut, the next all producers.
  Result<std::vector<Cuts>> run() {
    const int count = static_cast<int>(graph_.nodes.size());
    changed_ = Changed::kYes;
    while (changed_ == Changed::kYes) {
      changed_ = Changed::kNo;
      for (int i = 0; i < count && cut_count_ <= kMaxCuts; ++i) visit(i);
      for (int i = count - 1; i >= 0 && cut_count_ <= kMaxCuts; --i) visit(i);
      if (cut_count_ > kMaxCuts) return resource_exhausted("channels are cut into too many parts");
    }
    return std::move(cuts_);
  }

 private:
  int64_t channels(int value) const { return shapes_[static_cast<size_t>(value)].channels; }
  Cuts& cuts(int value) { return cuts_[static_cast<size_t>(value)]; }

  void cut(int value, int64_t channel) {
    if (channel <= 0 || channel >= channels(value)) return;
    if (!cuts(value).insert(channel).second) return;
    changed_ = Changed::kYes;
    ++cut_count_;
  }

  // Channels [begin, begin + channels(part)) of `whole` are those of `part`.
  void share(int whole, int64_t begin, int part) {
    const int64_t end = begin + channels(part);
    cut(whole, begin);
    cut(whole, end);
    for (const int64_t c : Cuts(cuts(part))) cut(whole, begin + c);
    const Cuts& all = cuts(whole);
    const Cuts inside(all.upper_bound(begin), all.lower_bound(end));
    for (const int64_t c : inside) cut(part, c - begin);
  }

  // A group that fills most of a block gets blocks of its own, so that groups can be computed;
  // smaller ones are cheaper as a dense convolution with zero weights between groups.
  void cut_groups(int value, int64_t groups) {
    const int64_t size = channels(value) / groups;
    for (int64_t g = 1; g < groups; ++g) cut(value, g * size);
  }

  void visit_conv(int node, int input, const ConvOp& conv) {
    if (conv.groups == 1) return;
    if (conv.groups == channels(input) && conv.groups == channels(node)) {
      share(node, 0, input);
    } else if (std::min(channels(input), channels(node)) / conv.groups * 2 >= block_) {
      cut_groups(input, conv.groups);
      cut_groups(node, conv.groups);
    }
  }

  void visit(int index) {
    const Node& node = graph_.nodes[static_cast<size_t>(index)];
    if (const auto* conv = std::get_if<ConvOp>(&node.op)) {
      visit_conv(index, node.inputs[0], *conv);
    } else if (const auto* slice = std::get_if<SliceOp>(&node.op)) {
      share(node.inputs[0], slice->begin, index);
    } else if (std::holds_alternative<ConcatOp>(node.op)) {
      int64_t begin = 0;
      for (const int input : node.inputs) {
        share(index, begin, input);
        begin += channels(input);
      }
    } else if (std::holds_alternative<MaxPoolOp>(node.op) ||
               std::holds_alternative<AvgPoolOp>(node.op) ||
               std::holds_alternative<UpsampleOp>(node.op) ||
               std::holds_alternative<AddOp>(node.op)) {
      for (const int input : node.inputs) share(index, 0, input);
    }
  }

  const Graph& graph_;
  const std::vector<ValueShape>& shapes_;
  int64_t block_;
  std::vector<Cuts> cuts_;
  Changed changed_ = Changed::kNo;
  int64_t cut_count_ = 0;
};

}  // namespace

Result<std::vector<ChannelLayout>> plan_channel_layouts(const Graph& graph,
                                                        const std::vector<ValueShape>& shapes,
                                                        int64_t block) {
  YOLOCU_ASSIGN_OR_RETURN(const std::vector<Cuts> cuts, CutPlanner(graph, shapes, block).run());
  std::vector<ChannelLayout> layouts(shapes.size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i].kind != ValueShape::Kind::kFeatureMap) continue;
    layouts[i] = ChannelLayout(shapes[i].channels, {cuts[i].begin(), cuts[i].end()}, block);
  }
  return layouts;
}

}  // namespace yolocu
