#include "bench/kernels/product_case.h"

namespace yolocu::bench {

bool is_product(const KernelCase& one) {
  const auto* const conv = std::get_if<gpu::ConvStep>(&one.work());
  if (conv == nullptr) return false;
  const ConvProblem& p = conv->problem;
  return p.filter_height == 1 && p.filter_width == 1 && p.stride == 1 && p.padding == 0 &&
         p.groups == 1 && p.y_upsample == 1 && !p.second;
}

Result<ProductCase> ProductCase::create(DeviceRuntime& runtime, const KernelCase& one) {
  const ConvProblem& p = std::get<gpu::ConvStep>(one.work()).problem;
  ProductCase product;
  product.case_ = &one;
  YOLOCU_ASSIGN_OR_RETURN(product.gemm_,
                          CublasLtGemm::create(runtime, {.dtype = p.dtype,
                                                         .d_dtype = p.dtype,
                                                         .m = p.out_pixels(),
                                                         .n = p.out_channels,
                                                         .k = p.channels,
                                                         .a_stride = p.x.pixel_stride,
                                                         .b_stride = p.channels,
                                                         .d_stride = p.y.pixel_stride}));
  return product;
}

Status ProductCase::enqueue(const CaseMemory& memory, int64_t copy, Stream stream) const {
  const gpu::ConvStep& step = std::get<gpu::ConvStep>(case_->work());
  const int64_t element = size_bytes(step.problem.dtype);
  return gemm_.enqueue(memory.at<std::byte>(copy, step.y) + step.problem.y.offset * element,
                       memory.at<std::byte>(copy, step.x) + step.problem.x.offset * element,
                       memory.at(copy, case_->extra.weight), stream);
}

}  // namespace yolocu::bench
