// Builds the graph and its weights, node by node, with every shape checked as it is added. Weights
// are stored as the model will have them at once: a second copy in fp32 would not fit the memory
// that a conversion may take.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/dtype.h"
#include "weights/format/model.h"
#include "weights/import/reparam.h"
#include "yolocu/status.h"

namespace yolocu {

class GraphBuilder {
 public:
  // Node 0 is the picture. `weight_dtype`, kF16 or kF32, is that of the weights; biases are fp32.
  explicit GraphBuilder(DType weight_dtype = DType::kF32);

  // At most this many weights, kResourceExhausted beyond: a checkpoint of 10 MB can name one tensor
  // in 20,000 modules, each of which becomes weights of its own. By default 2^29, three times the
  // largest official model.
  void limit_weights(int64_t elements);

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

  // The model. kUnsupported if a weight is not finite or overflows fp16 (names the tensor).
  Result<Model> finish() &&;

 private:
  struct Discard {
    void operator()(std::byte* bytes) const;
  };
  using Buffer = std::unique_ptr<std::byte, Discard>;  // aligned to 64 bytes
  struct StoredTensor {
    TensorView view;
    Buffer bytes;
    bool is_finite = true;
  };
  static StoredTensor make_tensor(DType dtype, std::vector<int64_t> shape, size_t elements);
  static StoredTensor store_weight(const FoldedConv& conv, DType dtype, std::vector<int64_t> shape);
  static StoredTensor store_bias(const FoldedConv& conv);

  DType weight_dtype_;
  Graph graph_;
  std::vector<ValueShape> shapes_;
  std::map<std::string, StoredTensor> tensors_;
  int64_t weight_elements_ = 0, max_weight_elements_ = int64_t{1} << 29;
};

}  // namespace yolocu
