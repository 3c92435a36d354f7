// Builds the graph and its fp32 weights, node by node, with every shape checked as it is added.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/dtype.h"
#include "weights/format/model.h"
#include "weights/import/reparam.h"
#include "yolocu/status.h"

namespace yolocu {

class GraphBuilder {
 public:
  GraphBuilder();  // node 0: the picture

  int input() const { return 0; }
  const ValueShape& shape(int value) const { return shapes_[static_cast<size_t>(value)]; }

  // Appends a node; the number of its value. Errors name the node. kResourceExhausted beyond the
  // nodes and weights that any detector needs.
  Result<int> add(std::string name, std::vector<int> inputs, Op op);

  // Appends a convolution with its tensors "name.weight" (turned to OHWI) and "name.bias".
  Result<int> add_conv(const std::string& name, int input, const FoldedConv& conv,
                       Activation activation, float negative_slope);

  // Removes all nodes that the last one does not need; how many. Call once, at the end.
  int64_t drop_unreachable();

  // The graph, and a model of it whose weights are stored as `weight_dtype` (kF16 or kF32) and
  // biases as fp32. kUnsupported if a weight is not finite or overflows fp16 (names the tensor).
  Result<Model> finish(DType weight_dtype) &&;

 private:
  struct HostTensor {
    std::vector<int64_t> shape;
    std::vector<float> values;
    DType dtype = DType::kF32;
  };
  Graph graph_;
  std::vector<ValueShape> shapes_;
  std::map<std::string, HostTensor> tensors_;
  int64_t weight_elements_ = 0;
};

}  // namespace yolocu
