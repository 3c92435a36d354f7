// Every op of the graph as plain loops over dense NHWC tensors, sums in double: the oracle of all
// other devices. Written for reading; nothing here is fast.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "weights/format/graph.h"

namespace yolocu::reference {

// [n,h,w,c] f32, row-major.
struct Tensor {
  int64_t n = 0, h = 0, w = 0, c = 0;
  std::vector<float> values;

  Tensor() = default;
  Tensor(int64_t n_, int64_t h_, int64_t w_, int64_t c_)
      : n(n_), h(h_), w(w_), c(c_), values(static_cast<size_t>(n_ * h_ * w_ * c_)) {}

  size_t index(int64_t in, int64_t ih, int64_t iw, int64_t ic) const {
    return static_cast<size_t>(((in * h + ih) * w + iw) * c + ic);
  }
  float& at(int64_t in, int64_t ih, int64_t iw, int64_t ic) {
    return values[index(in, ih, iw, ic)];
  }
  float at(int64_t in, int64_t ih, int64_t iw, int64_t ic) const {
    return values[index(in, ih, iw, ic)];
  }
};

// act(x): x, x * sigmoid(x), x or slope * x, max(x, 0).
double activate(double x, Activation activation, double negative_slope);

// weight [K,R,S,C/groups], bias [K] or empty.
Tensor convolve(const Tensor& x, const ConvOp& op, std::span<const float> weight,
                std::span<const float> bias);
Tensor max_pool(const Tensor& x, const MaxPoolOp& op);  // a NaN in the window wins
Tensor avg_pool(const Tensor& x, const AvgPoolOp& op);
Tensor upsample(const Tensor& x, const UpsampleOp& op);
Tensor concat(std::span<const Tensor* const> xs);
Tensor add(std::span<const Tensor* const> xs);
Tensor slice(const Tensor& x, const SliceOp& op);
Tensor space_to_depth(const Tensor& x);

// [n, anchors, row] in a Tensor of h = 1, w = anchors, c = row.
Tensor decode_dfl(std::span<const Tensor* const> heads, const DecodeDflOp& op);
Tensor decode_anchor(std::span<const Tensor* const> heads, const DecodeAnchorOp& op);

}  // namespace yolocu::reference
