// Small models for the tests of devices, and what their heads must be.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/test_support.h"
#include "weights/format/model.h"

namespace yolocu::testing {

// kIntegers: weights and biases are small integers, so that fp32 sums are exact in any order.
enum class Numbers : uint8_t { kIntegers, kReals };

// Builds a graph op by op; every method returns the new value's number. Value 0 is the picture.
class ModelBuilder {
 public:
  explicit ModelBuilder(Numbers numbers, uint64_t seed = 1);

  int conv(int x, int64_t channels, ConvOp op);
  int op(std::vector<int> inputs, Op op);
  int slice(int x, int64_t begin, int64_t channels);
  int concat(std::vector<int> inputs) { return op(std::move(inputs), ConcatOp{}); }
  int add(std::vector<int> inputs) { return op(std::move(inputs), AddOp{}); }

  int64_t channels(int value) const { return shape(value).channels; }

  // The model whose heads are `values`, with an anchor of 8x8 pixels a cell. All heads have as many
  // channels as the widest, at least six: others get a 1x1 convolution.
  std::shared_ptr<const Model> finish(std::vector<int> values);

  // The model with a DFL head of 16 bins: each level has a 1x1 convolution for boxes and one for
  // `classes`.
  std::shared_ptr<const Model> finish_dfl(const std::vector<int>& levels, int64_t classes);

 private:
  const ValueShape& shape(int value) const { return shapes_[static_cast<size_t>(value)]; }
  std::string tensor(const std::string& name, std::vector<int64_t> shape, DType dtype);

  Numbers numbers_;
  uint64_t seed_;
  std::shared_ptr<Model> model_ = std::make_shared<Model>();
  std::vector<ValueShape> shapes_;
  std::shared_ptr<std::vector<std::vector<float>>> storage_;
};

// Head outputs of one run, NHWC, one list a head, all pictures after each other.
using Heads = std::vector<std::vector<float>>;

// By the reference ops. bounds: sum |x| |w| along the graph; times eps and the depth, how far fp32
// sums in another order may be off.
struct ReferenceRun {
  Heads heads;
  Heads bounds;
};
ReferenceRun run_reference(const Model& model, int64_t height, int64_t width,
                           const std::vector<float>& picture);

}  // namespace yolocu::testing
