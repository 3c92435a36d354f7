// Instantiation and dispatch of the WGMMA variants in variants.inc: a file of its own, as compiling
// them takes as long as all others.
#include "engine/base/str_cat.h"
#include "kernels/conv/conv_wgmma.h"
#include "kernels/conv/conv_wgmma_kernel.cuh"

namespace yolocu {
inline namespace YOLOCU_TARGET {

Status launch_conv_wgmma(const ConvTensors& tensors, const ConvProblem& problem,
                         const ConvChoice& choice, const LaunchConfig& config) {
  const ConvVariant& variant = choice.variant;
#define NAIVE(...)
#define DEPTHWISE(...)
#define TILED(...)
#define IGEMM(...)
#define WGMMA(variant_name, dtype, block_m, block_n, stages)                                      \
  if (variant.name == #variant_name) {                                                            \
    using Element = NumberOf<DType::dtype>::Type;                                                 \
    return launch(                                                                                \
        named_kernel(variant.name, conv_wgmma_kernel<Element, block_m, block_n, stages>), config, \
        conv_arguments<Element>(tensors, problem, choice));                                       \
  }
#include "kernels/conv/variants.inc"
#undef NAIVE
#undef DEPTHWISE
#undef TILED
#undef IGEMM
#undef WGMMA
  return invalid_argument(str_cat("conv: no variant is called ", variant.name));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
