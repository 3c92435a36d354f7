// The matrix product of a 1x1 convolution, by cuBLASLt.
#pragma once

#include "bench/kernels/case_memory.h"
#include "bench/kernels/cublaslt.h"
#include "bench/kernels/kernel_case.h"

namespace yolocu::bench {

// True for a convolution of one position, stride 1 and one group that is stored once.
bool is_product(const KernelCase& one);

// Computes y = x w^T in the memory of such a case: no bias, activation or residual, which
// cuBLASLt would have to be asked for apart.
class ProductCase {
 public:
  // Errors of CublasLtGemm::create. The case and the runtime outlive it.
  static Result<ProductCase> create(DeviceRuntime& runtime, const KernelCase& one);
  Status enqueue(const CaseMemory& memory, int64_t copy, Stream stream) const;

 private:
  const KernelCase* case_ = nullptr;
  CublasLtGemm gemm_;
};

}  // namespace yolocu::bench
