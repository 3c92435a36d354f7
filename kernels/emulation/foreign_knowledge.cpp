#include "kernels/emulation/foreign_knowledge.h"

#include <algorithm>
#include <utility>

namespace yolocu::emulation {
namespace {

constexpr int kBits = 4;
constexpr uint32_t kChildren = 1u << kBits;

uint32_t digit(uint32_t cluster, int level) {
  return (cluster >> (kBits * level)) % kChildren;
}

}  // namespace

ForeignKnowledge::ForeignKnowledge(uint32_t cluster, std::vector<uint32_t> clocks) {
  root_ = std::make_shared<const Node>(Node{{}, std::move(clocks)});
  while (uint64_t{cluster} >> (kBits * levels_) != 0) {
    Node parent;
    parent.children.resize(kChildren);
    parent.children[digit(cluster, levels_)] = std::move(root_);
    root_ = std::make_shared<const Node>(std::move(parent));
    ++levels_;
  }
}

const std::vector<uint32_t>* ForeignKnowledge::find(uint32_t cluster) const {
  if (root_ == nullptr || uint64_t{cluster} >> (kBits * levels_) != 0) return nullptr;
  const Node* node = root_.get();
  for (int level = levels_ - 1; level >= 0 && node != nullptr; --level) {
    node = node->children[digit(cluster, level)].get();
  }
  return node == nullptr ? nullptr : &node->clocks;
}

// The same with more levels: all below is child 0.
ForeignKnowledge::NodePtr ForeignKnowledge::lift(NodePtr node, int levels) {
  for (; levels > 0; --levels) {
    Node parent;
    parent.children.resize(kChildren);
    parent.children[0] = std::move(node);
    node = std::make_shared<const Node>(std::move(parent));
  }
  return node;
}

// a or b itself if it has all: equal pointers end later merges early.
ForeignKnowledge::NodePtr ForeignKnowledge::merge_leaves(const NodePtr& a, const NodePtr& b) {
  const size_t threads = std::min(a->clocks.size(), b->clocks.size());
  bool a_has_all = a->clocks.size() >= b->clocks.size();
  bool b_has_all = b->clocks.size() >= a->clocks.size();
  for (size_t i = 0; i < threads; ++i) {
    a_has_all &= a->clocks[i] >= b->clocks[i];
    b_has_all &= b->clocks[i] >= a->clocks[i];
  }
  if (a_has_all || b_has_all) return a_has_all ? a : b;
  Node both = a->clocks.size() >= b->clocks.size() ? *a : *b;
  for (size_t i = 0; i < threads; ++i) both.clocks[i] = std::max(a->clocks[i], b->clocks[i]);
  return std::make_shared<const Node>(std::move(both));
}

ForeignKnowledge::NodePtr ForeignKnowledge::merge_nodes(const NodePtr& a, const NodePtr& b) {
  if (a == b || b == nullptr) return a;
  if (a == nullptr) return b;
  if (a->children.empty()) return merge_leaves(a, b);
  Node both;
  both.children.resize(kChildren);
  bool a_has_all = true, b_has_all = true;
  for (size_t i = 0; i < kChildren; ++i) {
    both.children[i] = merge_nodes(a->children[i], b->children[i]);
    a_has_all &= both.children[i] == a->children[i];
    b_has_all &= both.children[i] == b->children[i];
  }
  if (a_has_all || b_has_all) return a_has_all ? a : b;
  return std::make_shared<const Node>(std::move(both));
}

ForeignKnowledge merge(const ForeignKnowledge& a, const ForeignKnowledge& b) {
  if (b.root_ == nullptr) return a;
  if (a.root_ == nullptr) return b;
  ForeignKnowledge both;
  both.levels_ = std::max(a.levels_, b.levels_);
  both.root_ =
      ForeignKnowledge::merge_nodes(ForeignKnowledge::lift(a.root_, both.levels_ - a.levels_),
                                    ForeignKnowledge::lift(b.root_, both.levels_ - b.levels_));
  return both;
}

}  // namespace yolocu::emulation
