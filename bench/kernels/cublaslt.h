// Matrix products by cuBLASLt: what ours are measured and checked against. Only where it is found.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/base/dtype.h"
#include "kernels/runtime.h"

namespace yolocu::bench {

// d[i,j] = sum over l < k of a[i,l] * b[j,l] for i < m, j < n; sums are f32. a [m, a_stride],
// b [n, b_stride] of `dtype`; d [m, d_stride] of d_dtype. Counts are elements.
struct GemmProblem {
  DType dtype = DType::kF16;  // kF16, kBF16 or kF32
  DType d_dtype = DType::kF16;
  int64_t m = 0, n = 0, k = 0;
  int64_t a_stride = 0, b_stride = 0, d_stride = 0;
};

// One problem, with the algorithm that cuBLASLt thinks the fastest.
class CublasLtGemm {
 public:
  // The runtime is of CUDA and outlives the object. kUnavailable names the call that failed;
  // kUnsupported: cuBLASLt has no algorithm.
  static Result<CublasLtGemm> create(DeviceRuntime& runtime, const GemmProblem& problem);

  // Device memory aligned to 16 bytes. Launches of one object run one after the other: they share
  // its workspace.
  Status enqueue(void* d, const void* a, const void* b, Stream stream) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace yolocu::bench
