#include "engine/gpu/fusion.h"

#include <algorithm>

namespace yolocu::gpu {
namespace {

constexpr int kNone = -1;

class FusionPlanner {
 public:
  FusionPlanner(const Graph& graph, const std::vector<ChannelLayout>& layouts,
                const Placement& placement)
      : graph_(graph), layouts_(layouts), placement_(placement), users_(graph.nodes.size()) {}

  std::vector<NodeFusion> run() {
    fusion_.resize(graph_.nodes.size());
    find_users();
    for (int i = 0; i < count(); ++i) {
      if (is_used(i) && std::holds_alternative<AddOp>(node(i).op)) visit_sum(i);
    }
    for (int i = 0; i < count(); ++i) {
      if (is_used(i) && conv_of(i) != kNone) choose_targets(i);
    }
    for (int i = 0; i < count(); ++i) {
      if (!is_used(i)) continue;
      const Op& op = node(i).op;
      const bool is_view = std::holds_alternative<SliceOp>(op) ||
                           (std::holds_alternative<ConcatOp>(op) && at(i).copies.empty());
      if (is_view) at(i).role = Role::kView;
    }
    return std::move(fusion_);
  }

 private:
  static size_t index(int value) { return static_cast<size_t>(value); }
  int count() const { return static_cast<int>(graph_.nodes.size()); }
  const Node& node(int i) const { return graph_.nodes[index(i)]; }
  NodeFusion& at(int i) { return fusion_[index(i)]; }
  const Place& place(int value) const { return placement_.places[index(value)]; }

  bool is_used(int i) { return at(i).role != Role::kUnused; }

  // Users are those that the last node needs, as it needs itself. The picture counts as used.
  void find_users() {
    for (int i = count() - 1; i >= 0; --i) {
      at(i).copies = placement_.copies[index(i)];
      if (i > 0 && i + 1 < count() && users_[index(i)].empty()) {
        at(i).role = Role::kUnused;
        continue;
      }
      for (const int input : node(i).inputs) users_[index(input)].push_back(i);
    }
    // Found from behind; rules go through them in the graph's order.
    for (std::vector<int>& users : users_) std::reverse(users.begin(), users.end());
  }

  bool is_only_use(int value) const { return users_[index(value)].size() == 1; }

  // An upsample that nothing but its one user reads, where it stands in no concat.
  bool is_inner_upsample(int value) const {
    return std::holds_alternative<UpsampleOp>(node(value).op) && is_only_use(value);
  }

  // The convolution whose result is value i: i itself, the one that sum i computes, or none.
  int conv_of(int i) {
    if (std::holds_alternative<ConvOp>(node(i).op)) {
      return at(i).role == Role::kConvInSum ? kNone : i;
    }
    return at(i).conv;
  }

  // Sum i = conv + other becomes a launch of the convolution, if that is one and has no other use.
  bool fuse_sum(int i, int conv, int other) {
    if (!std::holds_alternative<ConvOp>(node(conv).op) || !is_only_use(conv)) return false;
    if (is_inner_upsample(other)) return false;
    at(conv).role = Role::kConvInSum;
    at(i).conv = conv;
    at(i).residual = other;
    return true;
  }

  void visit_sum(int i) {
    const std::vector<int>& inputs = node(i).inputs;
    if (inputs.size() == 2) {
      const auto [earlier, later] = std::minmax(inputs[0], inputs[1]);
      if (fuse_sum(i, later, earlier) || fuse_sum(i, earlier, later)) return;
    }
    for (const int input : inputs) {
      const bool inner = is_inner_upsample(input);
      if (inner) at(input).role = Role::kSumInput;
      at(i).terms.push_back(inner ? node(input).inputs[0] : input);
    }
  }

  // True if someone reads value i where it stands: it is part of another value, or has a user
  // other than upsamples that have been stored already.
  bool is_read_in_place(int i) {
    if (place(i).root != i) return true;
    return std::any_of(users_[index(i)].begin(), users_[index(i)].end(), [&](int user) {
      if (std::holds_alternative<ConcatOp>(node(user).op)) return has_copy_of(user, i);
      return at(user).role != Role::kConvOutput;
    });
  }

  bool is_copy_of(const ConcatCopy& copy, int i) const {
    return copy.source.root == place(i).root && copy.source.channel == place(i).channel &&
           copy.channels == layouts_[index(i)].padded_channels();
  }

  bool has_copy_of(int concat, int i) {
    const std::vector<ConcatCopy>& copies = at(concat).copies;
    return std::any_of(copies.begin(), copies.end(),
                       [&](const ConcatCopy& copy) { return is_copy_of(copy, i); });
  }

  // The stores of value i, most valuable first: what others read of it in place, or what they could
  // not read in any other way, comes first; then upsamples, then copies.
  void choose_targets(int i) {
    std::vector<ConvTarget> extra;
    std::vector<int> upsamples;
    for (const int user : users_[index(i)]) {
      const auto* up = std::get_if<UpsampleOp>(&node(user).op);
      if (up == nullptr || up->factor != 2 || at(user).role == Role::kSumInput) continue;
      if (upsamples.size() == kMostConvTargets) break;
      upsamples.push_back(user);
    }
    for (const int user : upsamples) at(user).role = Role::kConvOutput;
    const bool in_place = is_read_in_place(i);
    if (in_place && upsamples.size() == kMostConvTargets) {
      at(upsamples.back()).role = Role::kLaunch;
      upsamples.pop_back();
    }
    if (in_place) at(i).targets.push_back({place(i)});
    for (const int user : upsamples) at(i).targets.push_back({place(user), 2});
    for (const int user : users_[index(i)]) store_copies(i, user);
  }

  // Copies of value i into concat `user` become stores while there is room.
  void store_copies(int i, int user) {
    if (!std::holds_alternative<ConcatOp>(node(user).op)) return;
    const Place& whole = place(user);
    std::erase_if(at(user).copies, [&](const ConcatCopy& copy) {
      if (!is_copy_of(copy, i) || at(i).targets.size() == kMostConvTargets) return false;
      at(i).targets.push_back({{whole.root, whole.channel + copy.channel}});
      return true;
    });
  }

  const Graph& graph_;
  const std::vector<ChannelLayout>& layouts_;
  const Placement& placement_;
  std::vector<std::vector<int>> users_;  // an entry for each operand that reads the value
  std::vector<NodeFusion> fusion_;
};

}  // namespace

std::vector<NodeFusion> plan_fusion(const Graph& graph, const std::vector<ChannelLayout>& layouts,
                                    const Placement& placement) {
  return FusionPlanner(graph, layouts, placement).run();
}

}  // namespace yolocu::gpu
