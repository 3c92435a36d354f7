#include "weights/export/onnx_heads.h"

#include <numeric>

namespace yolocu {
namespace {

// Maps [batch, channels, h, w] as [batch, channels, all pixels of all levels].
std::string join_levels(OnnxGraph& graph, const std::vector<OnnxMap>& maps, int64_t batch) {
  std::vector<std::string> levels;
  for (const OnnxMap& map : maps) {
    levels.push_back(graph.reshape(map.name, {batch, map.channels, map.height * map.width}));
  }
  return graph.add("Concat", levels, OnnxAttributes().integer("axis", 2));
}

// points [2, anchors]: x, then y of each anchor point, in cells; strides [anchors].
struct AnchorPoints {
  std::vector<float> points, strides;
};

AnchorPoints anchor_points(const std::vector<OnnxMap>& boxes, const DecodeDflOp& op) {
  AnchorPoints result;
  std::vector<float> ys;
  for (size_t level = 0; level < boxes.size(); ++level) {
    for (int64_t y = 0; y < boxes[level].height; ++y) {
      for (int64_t x = 0; x < boxes[level].width; ++x) {
        result.points.push_back(static_cast<float>(x) + 0.5f);
        ys.push_back(static_cast<float>(y) + 0.5f);
        result.strides.push_back(op.strides[level]);
      }
    }
  }
  result.points.insert(result.points.end(), ys.begin(), ys.end());
  return result;
}

// Expected bins of softmax: [batch, 4 bins, anchors] -> [batch, 4, anchors].
std::string expected_bins(OnnxGraph& graph, const std::string& logits, int64_t batch, int64_t bins,
                          int64_t anchors) {
  const std::string sides = graph.reshape(logits, {batch, 4, bins, anchors});
  const std::string by_bin =
      graph.add("Transpose", {sides}, OnnxAttributes().integers("perm", {0, 2, 1, 3}));
  const std::string softmax = graph.add("Softmax", {by_bin}, OnnxAttributes().integer("axis", 1));
  std::vector<float> weights(static_cast<size_t>(bins));
  std::iota(weights.begin(), weights.end(), 0.0f);
  const std::string weight = graph.constant({1, bins, 1, 1}, weights);
  const std::string sums =
      graph.add("Conv", {softmax, weight}, OnnxAttributes().integers("kernel_shape", {1, 1}));
  return graph.reshape(sums, {batch, 4, anchors});
}

// [batch, anchors of the level, 4 + classes] of one level with shapes w0 h0 w1 h1 ...
std::string anchor_level(OnnxGraph& graph, const DecodeAnchorOp& op, size_t level,
                         const OnnxMap& head, int64_t batch) {
  const std::vector<float>& sizes = op.anchors[level];
  const auto shapes = static_cast<int64_t>(sizes.size() / 2);
  const int64_t pixels = head.height * head.width, row = 5 + op.classes;
  const float stride = op.strides[level];
  const std::string rows = graph.reshape(head.name, {batch, shapes, row, pixels});
  const std::string pixel_rows =
      graph.add("Transpose", {rows}, OnnxAttributes().integers("perm", {0, 1, 3, 2}));
  const std::string s = graph.add("Sigmoid", {pixel_rows});
  const std::vector<std::string> parts = graph.split(s, 3, {2, 2, 1, op.classes});

  // centre = (2 s - 0.5 + cell) * stride
  std::vector<float> corners;
  for (int64_t y = 0; y < head.height; ++y) {
    for (int64_t x = 0; x < head.width; ++x) {
      corners.push_back((static_cast<float>(x) - 0.5f) * stride);
      corners.push_back((static_cast<float>(y) - 0.5f) * stride);
    }
  }
  const std::vector<float> scale = {2 * stride};
  const std::string offset = graph.add("Mul", {parts[0], graph.constant({1}, scale)});
  const std::string centre = graph.add("Add", {offset, graph.constant({1, 1, pixels, 2}, corners)});
  // size = (2 s)^2 * anchor
  std::vector<float> four_anchors;
  for (const float size : sizes) four_anchors.push_back(4 * size);
  const std::string square = graph.add("Mul", {parts[1], parts[1]});
  const std::string size =
      graph.add("Mul", {square, graph.constant({1, shapes, 1, 2}, four_anchors)});
  const std::string scores = graph.add("Mul", {parts[2], parts[3]});
  const std::string joined =
      graph.add("Concat", {centre, size, scores}, OnnxAttributes().integer("axis", 3));
  return graph.reshape(joined, {batch, shapes * pixels, row - 1});
}

}  // namespace

void add_decode_dfl(OnnxGraph& graph, const DecodeDflOp& op, const std::vector<OnnxMap>& heads,
                    int64_t batch, const std::string& output) {
  std::vector<OnnxMap> boxes, classes;
  for (size_t i = 0; i < heads.size(); ++i) (i % 2 == 0 ? boxes : classes).push_back(heads[i]);
  const AnchorPoints at = anchor_points(boxes, op);
  const auto anchors = static_cast<int64_t>(at.strides.size());
  const std::string sides =
      expected_bins(graph, join_levels(graph, boxes, batch), batch, op.bins, anchors);
  const std::vector<std::string> corners = graph.split(sides, 1, {2, 2});
  const std::string points = graph.constant({1, 2, anchors}, at.points);
  const std::string low = graph.add("Sub", {points, corners[0]});
  const std::string high = graph.add("Add", {points, corners[1]});
  const std::vector<float> half = {0.5f};
  const std::string sum = graph.add("Add", {low, high});
  const std::string centre = graph.add("Mul", {sum, graph.constant({1}, half)});
  const std::string size = graph.add("Sub", {high, low});
  const std::string cells =
      graph.add("Concat", {centre, size}, OnnxAttributes().integer("axis", 1));
  const std::string pixels = graph.add("Mul", {cells, graph.constant({1, 1, anchors}, at.strides)});
  const std::string scores = graph.add("Sigmoid", {join_levels(graph, classes, batch)});
  const std::string rows =
      graph.add("Concat", {pixels, scores}, OnnxAttributes().integer("axis", 1));
  graph.add("Transpose", {rows}, OnnxAttributes().integers("perm", {0, 2, 1}), output);
}

void add_decode_anchor(OnnxGraph& graph, const DecodeAnchorOp& op,
                       const std::vector<OnnxMap>& heads, int64_t batch,
                       const std::string& output) {
  std::vector<std::string> levels;
  for (size_t level = 0; level < heads.size(); ++level) {
    levels.push_back(anchor_level(graph, op, level, heads[level], batch));
  }
  graph.add("Concat", levels, OnnxAttributes().integer("axis", 1), output);
}

}  // namespace yolocu
