// Int8 simulated in floating point: with the dequantized weights of a quantized model, rounding
// every int8 value as it is made gives what int8 kernels give, but for the rounding of fp32 sums.
#pragma once

#include <memory>
#include <vector>

#include "engine/value_observer.h"
#include "weights/format/quantization.h"

namespace yolocu::quantize {

class FakeQuantizer final : public ValueObserver {
 public:
  // model: quantized and validated.
  static Result<std::shared_ptr<FakeQuantizer>> create(const Model& model);
  void observe(const ObservedValue& value) override;

 private:
  std::vector<std::vector<float>> scales_;  // by node and channel; empty: left as it is
};

}  // namespace yolocu::quantize
