// Instantiation and dispatch of the variants in variants.inc.
#include "engine/base/str_cat.h"
#include "kernels/kernel_table.h"
#include "kernels/pixel_tile.h"
#include "kernels/resize/resize_sum.h"
#include "kernels/resize/resize_sum_kernel.cuh"
#include "kernels/view_checks.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {
namespace {

int32_t narrow(int64_t value) {
  return static_cast<int32_t>(value);
}

template <typename T>
ResizeSumArguments<T> resize_sum_arguments(const ResizeSumTensors& tensors,
                                           const ResizeSumProblem& problem) {
  ResizeSumArguments<T> arguments = {
      .y = device::GlobalPtr(static_cast<T*>(tensors.y) + problem.y.offset),
      .out_height = narrow(problem.out_height),
      .out_width = narrow(problem.out_width),
      .channels = narrow(problem.channels),
      .y_pixel_stride = narrow(problem.y.pixel_stride),
      .pixels = narrow(problem.batch * problem.out_height * problem.out_width),
      .count = narrow(problem.count),
      .sources = {}};
  for (size_t i = 0; i < static_cast<size_t>(problem.count); ++i) {
    const ResizeInput& input = problem.inputs[i];
    arguments.sources[i] = {
        .x = device::GlobalPtr(static_cast<const T*>(tensors.inputs[i]) + input.view.offset),
        .height = narrow(input.height),
        .width = narrow(input.width),
        .pixel_stride = narrow(input.view.pixel_stride)};
  }
  return arguments;
}

Status check_tensors(const ResizeSumTensors& tensors, const ResizeSumProblem& problem) {
  YOLOCU_RETURN_IF_ERROR(check_pointer("resize_sum y", tensors.y, problem.alignment_bytes));
  for (size_t i = 0; i < static_cast<size_t>(problem.count); ++i) {
    YOLOCU_RETURN_IF_ERROR(
        check_pointer(str_cat("resize_sum input ", i), tensors.inputs[i], problem.alignment_bytes));
  }
  return {};
}

}  // namespace

Status resize_sum(const ResizeSumTensors& tensors, const ResizeSumProblem& problem,
                  const ResizeSumVariant& variant, Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  YOLOCU_RETURN_IF_ERROR(check_tensors(tensors, problem));
  const int64_t pixels = problem.batch * problem.out_height * problem.out_width;
#define VARIANT(variant_name, dtype, bytes)                                 \
  if (variant.name == #variant_name) {                                      \
    using T = NumberOf<DType::dtype>::Type;                                 \
    constexpr int kCount = bytes / sizeof(T);                               \
    return launch(named_kernel(variant.name, resize_sum_kernel<T, kCount>), \
                  pixel_tile(pixels, problem.channels, kCount, stream),     \
                  resize_sum_arguments<T>(tensors, problem));               \
  }
#include "kernels/resize/variants.inc"
#undef VARIANT
  return invalid_argument(str_cat("resize_sum: no variant is called ", variant.name));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
