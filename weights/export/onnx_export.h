// A model as an ONNX file, for other runtimes to run the same network.
#pragma once

#include <cstdint>
#include <string>

#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu {

struct OnnxExportOptions {
  int64_t batch = 1;
  int64_t height = 0;  // 0: the model's default; otherwise a multiple of graph_stride()
  int64_t width = 0;
};

// The largest ONNX file: Protocol Buffers count bytes of a message in an int32.
constexpr int64_t kMaxOnnxBytes = 0x7FFFFFFF;

struct OnnxFile {
  std::string bytes;
  int64_t height = 0, width = 0;
  int64_t anchors = 0, row = 0;
};

// Opset 17, fp32, static shapes: `images` [batch, 3, height, width], RGB in 0..1, to `predictions`
// [batch, anchors, row], row = 4 + classes, as `yolocu run` gives them. Everything of the graph is
// kept: nothing is fused that the packed file has not fused.
// kInvalidArgument: a batch below 1 or a size that check_input_size refuses. kResourceExhausted: a
// file that would be larger than kMaxOnnxBytes. kUnsupported: int8 weights; export
// dequantized(model). `model` has been validated.
Result<OnnxFile> export_onnx(const Model& model, const OnnxExportOptions& options);

}  // namespace yolocu
