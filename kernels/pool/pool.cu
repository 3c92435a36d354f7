// Instantiation and dispatch of the variants in variants.inc.
#include "engine/base/str_cat.h"
#include "kernels/kernel_table.h"
#include "kernels/pixel_tile.h"
#include "kernels/pool/pool.h"
#include "kernels/pool/pool_kernel.cuh"
#include "kernels/view_checks.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {
namespace {

template <typename T>
PoolArguments<T> pool_arguments(void* y, const void* x, const PoolProblem& problem) {
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  return {.y = device::GlobalPtr(static_cast<T*>(y) + problem.y.offset),
          .x = device::GlobalPtr(static_cast<const T*>(x) + problem.x.offset),
          .height = narrow(problem.height),
          .width = narrow(problem.width),
          .channels = narrow(problem.channels),
          .out_height = narrow(problem.out_height()),
          .out_width = narrow(problem.out_width()),
          .pixels = narrow(problem.batch * problem.out_height() * problem.out_width()),
          .window = narrow(problem.window),
          .stride = narrow(problem.stride),
          .padding = narrow(problem.padding),
          .x_pixel_stride = narrow(problem.x.pixel_stride),
          .y_pixel_stride = narrow(problem.y.pixel_stride)};
}

}  // namespace

Status pool(void* y, const void* x, const PoolProblem& problem, const PoolVariant& variant,
            Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  YOLOCU_RETURN_IF_ERROR(check_pointer("pool y", y, problem.alignment_bytes));
  YOLOCU_RETURN_IF_ERROR(check_pointer("pool x", x, problem.alignment_bytes));
  const int64_t pixels = problem.batch * problem.out_height() * problem.out_width();
#define VARIANT(variant_name, kind, dtype, bytes)                                     \
  if (variant.name == #variant_name) {                                                \
    using T = NumberOf<DType::dtype>::Type;                                           \
    constexpr int kCount = bytes / sizeof(T);                                         \
    return launch(named_kernel(variant.name, pool_kernel<PoolKind::kind, T, kCount>), \
                  pixel_tile(pixels, problem.channels, kCount, stream),               \
                  pool_arguments<T>(y, x, problem));                                  \
  }
#include "kernels/pool/variants.inc"
#undef VARIANT
  return invalid_argument(str_cat("pool: no variant is called ", variant.name));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
