// What one launch computes together: which nodes of the graph need no launch of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/plan/channel_layout.h"
#include "engine/plan/placement.h"
#include "weights/format/graph.h"

namespace yolocu::gpu {

// One store of a convolution: each pixel upsample x upsample times, at `place`.
struct ConvTarget {
  Place place;
  int64_t upsample = 1;  // 1 or 2
};

constexpr size_t kMostConvTargets = 2;

// How a node's value comes about.
enum class Role : uint8_t {
  kLaunch,      // by a launch (or several: a concat's copies)
  kView,        // it is part of another value, or its parts were written in place
  kConvInSum,   // a convolution that a sum computes
  kConvOutput,  // an upsample that the convolution stores as well
  kSumInput,    // an upsample that a sum reads as it is, resizing it
  kUnused,      // the predictions do not need it
};

struct NodeFusion {
  Role role = Role::kLaunch;
  // Of a launched convolution, or of a sum that computes one: where it stores. At least one.
  std::vector<ConvTarget> targets = {};
  int conv = -1;      // of a sum: the convolution that it computes, or -1
  int residual = -1;  // of such a sum: the other operand
  // Of a launched sum: what it reads, in order, at any extent that divides its own.
  std::vector<int> terms = {};
  // Of a concat: ranges that no producer could store, to be copied.
  std::vector<ConcatCopy> copies = {};
};

// One entry a node. Rules:
//  - act(conv(x)) + other, in either order, where the sum is the convolution's only use: the
//    convolution adds;
//  - nearest upsample by 2 of a convolution's result: its second store, or its only one if nothing
//    else reads the result;
//  - a whole convolution's result that belongs to a second concat: its second store;
//  - an upsample that only a sum reads, unless a convolution computes that: read at its own extent;
//  - concat and slice: views.
std::vector<NodeFusion> plan_fusion(const Graph& graph, const std::vector<ChannelLayout>& layouts,
                                    const Placement& placement);

}  // namespace yolocu::gpu
