// The graph IR: what is stored in a packed file, planned by the engine, printed and tested.
//
// Static single assignment: node i produces value i, its inputs are smaller numbers, so the order
// of `nodes` is an order of execution. Node 0 is the input picture. Activations are NHWC. Shapes
// are symbolic in batch, height and width; one graph serves every size that is a multiple of
// stride().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/activation.h"
#include "yolocu/status.h"

namespace yolocu {

std::string_view activation_name(Activation activation);

// The picture, RGB in 0..1: [N,H,W,channels].
struct InputOp {
  int64_t channels = 3;
};

// y[n,p,q,k] = act(bias[k] + sum_{r,s,c} x[n, p*stride+r-padding, q*stride+s-padding, c]
// w[k,r,s,c]) with zero padding; for groups > 1, c runs over the input channels of k's group.
// weight [K,R,S,C/groups] (OHWI), bias [K] f32, both named tensors of the model.
struct ConvOp {
  int64_t out_channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t groups = 1;
  Activation activation = Activation::kNone;
  float negative_slope = 0.0f;  // of LeakyReLU
  std::string weight = {};
  std::string bias = {};  // empty: none
  // int8 only (quantization.h): the name of a [K] f32 tensor; empty: computed in floating point.
  std::string accumulator_scale = {};
  // y is held as int8, one unit of which is this much; 0: y is floating point.
  float output_scale = 0.0f;
};

// Maximum over a kernel x kernel window; padding never wins.
struct MaxPoolOp {
  int64_t kernel = 2;
  int64_t stride = 2;
  int64_t padding = 0;
};

// Mean over a kernel x kernel window. Only padding 0 occurs in the supported networks.
struct AvgPoolOp {
  int64_t kernel = 2;
  int64_t stride = 1;
};

// Nearest neighbour by an integer factor: y[p,q] = x[p/factor, q/factor].
struct UpsampleOp {
  int64_t factor = 2;
};

// Channels of all inputs, in order.
struct ConcatOp {};

// Elementwise sum of two or more inputs of one shape, from left to right.
struct AddOp {
  float output_scale = 0.0f;  // as of ConvOp
};

// Channels [begin, begin + channels).
struct SliceOp {
  int64_t begin = 0;
  int64_t channels = 0;
};

// YOLOv7's ReOrg: [N,H,W,C] -> [N,H/2,W/2,4C]; channel blocks in the order
// (even row, even column), (odd row, even), (even row, odd), (odd row, odd column).
struct SpaceToDepthOp {};

// YOLOv9 heads. Inputs: box_0, class_0, box_1, class_1, ...: box [N,h,w,4*bins] DFL logits of left,
// top, right, bottom; class [N,h,w,classes] logits. Distance d = sum_j j * softmax(bin logits)_j.
// Output [N, anchors, 4 + classes] f32: cx cy w h in pixels of the network input, then
// sigmoid(class). Anchors: level by level, row-major; anchor point (x+0.5, y+0.5) * stride.
struct DecodeDflOp {
  int64_t classes = 0;
  int64_t bins = 16;
  std::vector<float> strides = {};  // one a level
};

// YOLOv7 heads. Inputs: one [N,h,w, A*(5+classes)] a level, A anchors. With s = sigmoid(logit):
// centre = (2 s_xy - 0.5 + cell) * stride, size = (2 s_wh)^2 * anchor.
// Output [N, anchors, 5 + classes] f32: cx cy w h, objectness, class probabilities (not
// multiplied); order: level, anchor, row, column.
struct DecodeAnchorOp {
  int64_t classes = 0;
  std::vector<float> strides = {};  // one a level
  // One list a level: w0 h0 w1 h1 ... in pixels.
  std::vector<std::vector<float>> anchors = {};
};

using Op = std::variant<InputOp, ConvOp, MaxPoolOp, AvgPoolOp, UpsampleOp, ConcatOp, AddOp, SliceOp,
                        SpaceToDepthOp, DecodeDflOp, DecodeAnchorOp>;

// "input", "conv", "max_pool", "avg_pool", "upsample", "concat", "add", "slice", "space_to_depth",
// "decode_dfl", "decode_anchor": as stored in the packed file.
std::string_view op_name(const Op& op);

struct Node {
  std::string name;         // where it came from: "model.2.cv1"
  std::vector<int> inputs;  // values, each smaller than the node's own number
  Op op;
};

// The last node is the prediction (a decode op) and the only output.
struct Graph {
  std::vector<Node> nodes;
};

// The extent of a value along H or W, as a function of the network input's extent.
struct Extent {
  int64_t divisor = 1;
  int64_t offset = 0;
  int64_t at(int64_t full) const { return full / divisor + offset; }
  friend bool operator==(const Extent&, const Extent&) = default;
};

// Shape of a value: a feature map [N, extent(H), extent(W), channels], or, after a decode op,
// predictions [N, anchors, channels] (see prediction_count).
struct ValueShape {
  enum class Kind : uint8_t { kFeatureMap, kPredictions };
  Kind kind = Kind::kFeatureMap;
  int64_t channels = 0;
  Extent extent;
  friend bool operator==(const ValueShape&, const ValueShape&) = default;
};

// The shape of one op's result from those of its operands. kInvalidArgument says what is wrong with
// the attributes or operands.
Result<ValueShape> infer_shape(const Op& op, std::span<const ValueShape> operands);

constexpr int64_t kMaxNodes = 65536;
constexpr int64_t kMaxTotalStride = 1024;

// Checks the whole graph (operand numbers and counts, attribute ranges, channel sums, matching
// extents, one input first, one decode last) and returns every value's shape.
// kInvalidArgument names the node and what is wrong. All sizes are bounded: channels <= 65536,
// nodes <= kMaxNodes, so later products of extents can be computed in int64_t.
Result<std::vector<ValueShape>> infer_shapes(const Graph& graph);

// Height and width of every network input must be a multiple of this: the least common multiple of
// all divisors.
int64_t graph_stride(const std::vector<ValueShape>& shapes);

// Largest height or width of a network input.
constexpr int64_t kMaxInputExtent = 65536;

// kInvalidArgument unless height and width are multiples of graph_stride() in 1..kMaxInputExtent at
// which no map is empty; the message names sizes that work.
Status check_input_size(const std::vector<ValueShape>& shapes, int64_t height, int64_t width);

// Anchors of the prediction at an input of height x width.
int64_t prediction_count(const Graph& graph, const std::vector<ValueShape>& shapes, int64_t height,
                         int64_t width);

// Multiply-adds x 2 of node `node` for one picture of height x width; 0 if it is no convolution.
double conv_node_flops(const Graph& graph, const std::vector<ValueShape>& shapes, size_t node,
                       int64_t height, int64_t width);

// The sum over all nodes.
double conv_flops(const Graph& graph, const std::vector<ValueShape>& shapes, int64_t height,
                  int64_t width);

// The weight shape [K,R,S,C/groups] of a convolution that reads `in_channels` channels.
std::vector<int64_t> conv_weight_shape(const ConvOp& conv, int64_t in_channels);

}  // namespace yolocu
