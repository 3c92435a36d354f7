// Instantiation and dispatch of the variants in variants.inc.
#include "engine/base/str_cat.h"
#include "kernels/kernel_table.h"
#include "kernels/preprocess/letterbox.h"
#include "kernels/preprocess/letterbox_kernel.cuh"
#include "kernels/preprocess/tile.h"
#include "kernels/view_checks.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {
namespace {

template <typename T>
LetterboxArguments<T> letterbox_arguments(void* y, const LetterboxPicture* pictures,
                                          const LetterboxProblem& problem) {
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  return {.y = device::GlobalPtr(static_cast<T*>(y) + problem.y.offset),
          .pictures = device::GlobalPtr(pictures),
          .height = narrow(problem.height),
          .width = narrow(problem.width),
          .channels = narrow(problem.channels),
          .y_pixel_stride = narrow(problem.y.pixel_stride),
          .pad_value = narrow(problem.pad_value),
          .order = problem.order};
}

}  // namespace

Status letterbox(void* y, const LetterboxPicture* pictures, const LetterboxProblem& problem,
                 const LetterboxVariant& variant, Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  YOLOCU_RETURN_IF_ERROR(check_pointer("letterbox y", y, problem.alignment_bytes));
  YOLOCU_RETURN_IF_ERROR(check_pointer("letterbox pictures", pictures, alignof(LetterboxPicture)));
  const LaunchConfig config = letterbox_launch(problem, stream);
#define VARIANT(variant_name, dtype, bytes)                                                   \
  if (variant.name == #variant_name) {                                                        \
    using T = NumberOf<DType::dtype>::Type;                                                   \
    return launch(named_kernel(variant.name, letterbox_kernel<T, bytes / sizeof(T)>), config, \
                  letterbox_arguments<T>(y, pictures, problem));                              \
  }
#include "kernels/preprocess/variants.inc"
#undef VARIANT
  return invalid_argument(str_cat("letterbox: no variant is called ", variant.name));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
