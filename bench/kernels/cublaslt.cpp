#include "bench/kernels/cublaslt.h"

#include <cublasLt.h>

#include <string>

namespace yolocu::bench {
namespace {

constexpr uint64_t kWorkspaceBytes = uint64_t{32} << 20;  // what cuBLAS takes on sm_90
constexpr uint32_t kAlignment = 16;                       // of views of channels in blocks of 8

Status check(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return {};
  return unavailable(std::string(call) + ": " + cublasLtGetStatusString(status));
}

cudaDataType_t data_type(DType dtype) {
  switch (dtype) {
    case DType::kF16: return CUDA_R_16F;
    case DType::kBF16: return CUDA_R_16BF;
    default: return CUDA_R_32F;
  }
}

}  // namespace

// cuBLASLt's matrices are column-major, so that ours are transposed: d' [n, m] = b'^T a'.
struct CublasLtGemm::State {
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, d = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t choice = {};
  DeviceMemory workspace;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (preference != nullptr) cublasLtMatmulPreferenceDestroy(preference);
    for (const cublasLtMatrixLayout_t layout : {a, b, d}) {
      if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
    }
    if (operation != nullptr) cublasLtMatmulDescDestroy(operation);
    if (handle != nullptr) cublasLtDestroy(handle);
  }

  Status describe(const GemmProblem& p) {
    const auto layout = [](cublasLtMatrixLayout_t& to, DType dtype, int64_t rows, int64_t columns,
                           int64_t stride) {
      return check(cublasLtMatrixLayoutCreate(&to, data_type(dtype), static_cast<uint64_t>(rows),
                                              static_cast<uint64_t>(columns), stride),
                   "cublasLtMatrixLayoutCreate");
    };
    YOLOCU_RETURN_IF_ERROR(check(cublasLtCreate(&handle), "cublasLtCreate"));
    YOLOCU_RETURN_IF_ERROR(
        check(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F),
              "cublasLtMatmulDescCreate"));
    const cublasOperation_t transposed = CUBLAS_OP_T;
    YOLOCU_RETURN_IF_ERROR(
        check(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                             sizeof(transposed)),
              "cublasLtMatmulDescSetAttribute"));
    YOLOCU_RETURN_IF_ERROR(layout(b, p.dtype, p.k, p.n, p.b_stride));
    YOLOCU_RETURN_IF_ERROR(layout(a, p.dtype, p.k, p.m, p.a_stride));
    return layout(d, p.d_dtype, p.n, p.m, p.d_stride);
  }

  template <typename T>
  Status prefer(cublasLtMatmulPreferenceAttributes_t attribute, T value) {
    return check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)),
                 "cublasLtMatmulPreferenceSetAttribute");
  }

  Status choose() {
    YOLOCU_RETURN_IF_ERROR(
        check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate"));
    YOLOCU_RETURN_IF_ERROR(prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes));
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      YOLOCU_RETURN_IF_ERROR(prefer(attribute, kAlignment));
    }
    int found = 0;
    YOLOCU_RETURN_IF_ERROR(check(cublasLtMatmulAlgoGetHeuristic(handle, operation, b, a, d, d,
                                                                preference, 1, &choice, &found),
                                 "cublasLtMatmulAlgoGetHeuristic"));
    return found == 1 ? Status() : unsupported("cuBLASLt has no algorithm for this product");
  }
};

Result<CublasLtGemm> CublasLtGemm::create(DeviceRuntime& runtime, const GemmProblem& problem) {
  CublasLtGemm gemm;
  gemm.state_ = std::make_shared<State>();
  YOLOCU_RETURN_IF_ERROR(gemm.state_->describe(problem));
  YOLOCU_RETURN_IF_ERROR(gemm.state_->choose());
  YOLOCU_ASSIGN_OR_RETURN(
      gemm.state_->workspace,
      DeviceMemory::create(runtime, static_cast<int64_t>(kWorkspaceBytes), "cuBLASLt workspace"));
  return gemm;
}

Status CublasLtGemm::enqueue(void* d, const void* a, const void* b, Stream stream) const {
  const float one = 1, zero = 0;
  const State& s = *state_;
  return check(cublasLtMatmul(s.handle, s.operation, &one, b, s.b, a, s.a, &zero, d, s.d, d, s.d,
                              &s.choice.algo, s.workspace.data(), kWorkspaceBytes, stream),
               "cublasLtMatmul");
}

}  // namespace yolocu::bench
