// Instantiation and dispatch of the variants in variants.inc.
#include "engine/base/str_cat.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/conv_depthwise_kernel.cuh"
#include "kernels/conv/conv_igemm_kernel.cuh"
#include "kernels/conv/conv_naive_kernel.cuh"
#include "kernels/conv/conv_tiled_kernel.cuh"
#include "kernels/conv/conv_wgmma.h"
#include "kernels/conv/tile.h"
#include "kernels/kernel_table.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {
namespace {

template <DType kDType>
using ConvElement = typename NumberOf<kDType>::Type;

}  // namespace

Status conv(const ConvTensors& tensors, const ConvProblem& problem, const ConvChoice& choice,
            Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(choice, problem));
  YOLOCU_RETURN_IF_ERROR(check_tensors(tensors, problem, choice));
  const ConvVariant& variant = choice.variant;
  LaunchConfig config = conv_launch(choice, problem);
  config.stream = stream;
  if (variant.algorithm == ConvAlgorithm::kWarpgroupGemm) {
    return launch_conv_wgmma(tensors, problem, choice, config);
  }
#define WGMMA(...)
#define NAIVE(variant_name, dtype)                                                \
  if (variant.name == #variant_name) {                                            \
    using Element = ConvElement<DType::dtype>;                                    \
    return launch(named_kernel(variant.name, conv_naive_kernel<Element>), config, \
                  conv_arguments<Element>(tensors, problem, choice));             \
  }
#define DEPTHWISE(variant_name, dtype, bytes)                                                 \
  if (variant.name == #variant_name) {                                                        \
    using Element = ConvElement<DType::dtype>;                                                \
    constexpr int kCount = bytes / sizeof(Element);                                           \
    return launch(named_kernel(variant.name, conv_depthwise_kernel<Element, kCount>), config, \
                  conv_arguments<Element>(tensors, problem, choice));                         \
  }
#define TILED(variant_name, block_m, block_n, block_k, warp_m, warp_n, stages, bytes)              \
  if (variant.name == #variant_name) {                                                             \
    return launch(                                                                                 \
        named_kernel(variant.name,                                                                 \
                     conv_tiled_kernel<block_m, block_n, block_k, warp_m, warp_n, stages, bytes>), \
        config, conv_arguments<float>(tensors, problem, choice));                                  \
  }
#define IGEMM(variant_name, dtype, block_m, block_n, block_k, warp_m, warp_n, stages, bytes)       \
  if (variant.name == #variant_name) {                                                             \
    using Element = ConvElement<DType::dtype>;                                                     \
    return launch(                                                                                 \
        named_kernel(                                                                              \
            variant.name,                                                                          \
            conv_igemm_kernel<Element, block_m, block_n, block_k, warp_m, warp_n, stages, bytes>), \
        config, conv_arguments<Element>(tensors, problem, choice));                                \
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
