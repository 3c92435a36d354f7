// Which accesses of other clusters are known to have happened: what acquires and releases carry
// from one cluster to another. Threads of one cluster use clocks.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace yolocu::emulation {

// cluster -> clocks of its threads: everything that its thread t did up to clocks[t] happened
// before. A value that never changes; copies share, and so does what merge makes of two: a counter
// that every block of a grid adds to collects all of them at a cost that grows with the logarithm
// of their number. Any host thread may use a copy of its own.
class ForeignKnowledge {
 public:
  // Of nothing.
  ForeignKnowledge() = default;
  // Of one cluster.
  ForeignKnowledge(uint32_t cluster, std::vector<uint32_t> clocks);

  bool empty() const { return root_ == nullptr; }
  // True only if both know the same. merge gives back its first argument, in this sense, if the
  // second has nothing new.
  bool is_same(const ForeignKnowledge& other) const { return root_ == other.root_; }
  // nullptr: nothing is known of the cluster. Good as long as *this.
  const std::vector<uint32_t>* find(uint32_t cluster) const;
  bool knows(uint32_t cluster, uint32_t thread, uint32_t clock) const {
    const std::vector<uint32_t>* clocks = find(cluster);
    return clocks != nullptr && thread < clocks->size() && clock <= (*clocks)[thread];
  }

  // What is known to one or the other.
  friend ForeignKnowledge merge(const ForeignKnowledge& a, const ForeignKnowledge& b);

 private:
  // A radix tree over the cluster's number, 4 bits a level; a node without children is a leaf.
  struct Node;
  using NodePtr = std::shared_ptr<const Node>;
  struct Node {
    std::vector<NodePtr> children;
    std::vector<uint32_t> clocks;
  };

  static NodePtr lift(NodePtr node, int levels);
  static NodePtr merge_nodes(const NodePtr& a, const NodePtr& b);
  static NodePtr merge_leaves(const NodePtr& a, const NodePtr& b);

  NodePtr root_;
  int levels_ = 0;  // of inner nodes: numbers below 16^levels have a place
};

ForeignKnowledge merge(const ForeignKnowledge& a, const ForeignKnowledge& b);

}  // namespace yolocu::emulation
