// Decode ops as ONNX operators, in the form in which the official exports have them, so that other
// runtimes find the patterns they know.
#pragma once

#include <string>
#include <vector>

#include "weights/export/onnx_graph.h"
#include "weights/format/graph.h"

namespace yolocu {

// A head's map: [batch, channels, height, width].
struct OnnxMap {
  std::string name;
  int64_t channels = 0, height = 0, width = 0;
};

// [batch, anchors, 4 + classes] f32 named `output`: cx cy w h in input pixels, then scores; for
// anchor heads objectness x class.
void add_decode_dfl(OnnxGraph& graph, const DecodeDflOp& op, const std::vector<OnnxMap>& heads,
                    int64_t batch, const std::string& output);
void add_decode_anchor(OnnxGraph& graph, const DecodeAnchorOp& op,
                       const std::vector<OnnxMap>& heads, int64_t batch, const std::string& output);

}  // namespace yolocu
