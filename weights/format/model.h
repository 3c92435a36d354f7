// A model in memory: graph, metadata and named tensors. Immutable once built; share it freely
// between threads and executors through shared_ptr<const Model>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/dtype.h"
#include "weights/format/graph.h"
#include "yolocu/status.h"

namespace yolocu {

// How pictures become network input. The official letterbox: scale by min(H/h, W/w), enlarging
// allowed, bilinear, centred, padded with pad_value. The only policy of format version 1.
struct LetterboxPolicy {
  int pad_value = 114;
};

// Everything about a model but the numbers in its tensors.
struct ModelSpec {
  Graph graph;
  std::string architecture;              // "gelan-t", "yolov9-c", "custom": for people
  std::vector<std::string> class_names;  // one a class of the decode op, UTF-8
  int64_t input_size = 640;              // default H = W; a multiple of graph_stride()
  LetterboxPolicy letterbox;
  std::string source_name;    // file name (no folder) of the checkpoint, for people
  std::string source_sha256;  // 64 lower-case hex digits, or empty
};

// A dense row-major tensor; the bytes belong to the Model.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;  // size_bytes(dtype) * product(shape), aligned to its elements
};

struct Model {
  ModelSpec spec;
  std::map<std::string, TensorView, std::less<>> tensors;
  std::shared_ptr<const void> storage;  // keeps the tensors' bytes alive: a mapping or a buffer
};

// Checks that the graph is valid, every weight and bias it names is there with the right shape
// (weights f16 or f32, of int8 convolutions i8; biases and scales f32), the rules of
// quantization.h hold, and names match the class count.
// kCorrupt: "tensor 'x': expected [64,3,3,32], got ...".
Status validate_model(const Model& model);

// Elements of an f16, bf16 or f32 tensor as fp32. kUnsupported for other types.
Result<std::vector<float>> tensor_to_float(const TensorView& tensor);

// Classes of the decode op.
int64_t class_count(const ModelSpec& spec);

}  // namespace yolocu
