// The same arithmetic as re-parameterised layers, done step by step; and a tree of modules as a
// model.
#pragma once

#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/reference/reference_ops.h"
#include "tests/support/test_support.h"
#include "weights/import/lowering.h"
#include "weights/import/reparam.h"

namespace yolocu::testing {

inline reference::Tensor random_map(int64_t h, int64_t w, int64_t c, uint64_t seed) {
  reference::Tensor x(1, h, w, c);
  x.values = random_floats(x.values.size(), seed);
  return x;
}

// conv as the reference sees it: OHWI.
inline reference::Tensor apply(const FoldedConv& conv, const reference::Tensor& x) {
  std::vector<float> ohwi(conv.weight.size());
  const int64_t window = conv.kernel * conv.kernel, in = conv.group_in_channels;
  for (int64_t k = 0; k < conv.out_channels; ++k) {
    for (int64_t c = 0; c < in; ++c) {
      for (int64_t i = 0; i < window; ++i) {
        ohwi[static_cast<size_t>((k * window + i) * in + c)] =
            conv.weight[static_cast<size_t>((k * in + c) * window + i)];
      }
    }
  }
  return reference::convolve(x,
                             {.out_channels = conv.out_channels,
                              .kernel = conv.kernel,
                              .stride = conv.stride,
                              .padding = conv.padding,
                              .groups = conv.groups},
                             ohwi, conv.bias);
}

// Batch normalisation by its definition.
inline reference::Tensor normalise(reference::Tensor x, const Module& bn) {
  const auto values = [&](const char* name) { return bn.tensor(name)->values(); };
  const auto weight = values("weight"), bias = values("bias");
  const auto means = values("running_mean"), variances = values("running_var");
  for (size_t i = 0; i < x.values.size(); ++i) {
    const size_t c = i % static_cast<size_t>(x.c);
    const double deviation = std::sqrt(double{variances[c]} + *bn.number("eps"));
    const double mean = means[c];
    x.values[i] = static_cast<float>((x.values[i] - mean) / deviation * weight[c] + bias[c]);
  }
  return x;
}

inline Result<Model> lower_to_model(const Module& root, int64_t* dropped = nullptr) {
  Lowering lowering;
  YOLOCU_RETURN_IF_ERROR(lower_model(lowering, root));
  const int64_t count = lowering.builder.drop_unreachable();
  if (dropped != nullptr) *dropped = count;
  return std::move(lowering.builder).finish();
}

inline const Node* find_node(const Graph& graph, std::string_view name) {
  for (const Node& node : graph.nodes) {
    if (node.name == name) return &node;
  }
  return nullptr;
}

}  // namespace yolocu::testing
