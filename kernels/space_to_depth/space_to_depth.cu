// Instantiation and dispatch of the variants in variants.inc.
#include <type_traits>

#include "engine/base/str_cat.h"
#include "kernels/kernel_table.h"
#include "kernels/pixel_tile.h"
#include "kernels/space_to_depth/space_to_depth.h"
#include "kernels/space_to_depth/space_to_depth_kernel.cuh"
#include "kernels/view_checks.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {
namespace {

template <DType kDType>
using BitsOf = std::conditional_t<size_bytes(kDType) == 2, uint16_t, uint32_t>;

template <typename Bits>
SpaceToDepthArguments<Bits> space_to_depth_arguments(void* y, const void* x,
                                                     const SpaceToDepthProblem& problem) {
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  return {.y = device::GlobalPtr(static_cast<Bits*>(y) + problem.y.offset),
          .x = device::GlobalPtr(static_cast<const Bits*>(x) + problem.x.offset),
          .width = narrow(problem.width),
          .channels = narrow(problem.channels),
          .padding = narrow(problem.padding),
          .pixels = narrow(problem.batch * problem.height * problem.width),
          .x_pixel_stride = narrow(problem.x.pixel_stride),
          .y_pixel_stride = narrow(problem.y.pixel_stride)};
}

}  // namespace

Status space_to_depth(void* y, const void* x, const SpaceToDepthProblem& problem,
                      const SpaceToDepthVariant& variant, Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  YOLOCU_RETURN_IF_ERROR(check_pointer("space_to_depth y", y, problem.alignment_bytes));
  YOLOCU_RETURN_IF_ERROR(check_pointer("space_to_depth x", x, problem.alignment_bytes));
  const int64_t pixels = problem.batch * problem.height * problem.width;
#define VARIANT(variant_name, dtype, bytes)                                               \
  if (variant.name == #variant_name) {                                                    \
    using Bits = BitsOf<DType::dtype>;                                                    \
    constexpr int kCount = bytes / sizeof(Bits);                                          \
    return launch(named_kernel(variant.name, space_to_depth_kernel<Bits, kCount>),        \
                  pixel_tile(pixels, problem.channels + problem.padding, kCount, stream), \
                  space_to_depth_arguments<Bits>(y, x, problem));                         \
  }
#include "kernels/space_to_depth/variants.inc"
#undef VARIANT
  return invalid_argument(str_cat("space_to_depth: no variant is called ", variant.name));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
