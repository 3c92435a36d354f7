// Legality and choices of resize_sum: the host part, compiled with and without CUDA.
#include "kernels/resize/resize_sum.h"

#include <algorithm>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "kernels/view_checks.h"

namespace yolocu {
namespace {

constexpr auto kVariants = std::to_array<ResizeSumVariant>({
#define VARIANT(name, dtype, bytes) {#name, DType::dtype, bytes},
#include "kernels/resize/variants.inc"
#undef VARIANT
});

std::span<const ResizeInput> used_inputs(const ResizeSumProblem& problem) {
  return std::span(problem.inputs).first(static_cast<size_t>(problem.count));
}

// A tensor of the problem's batch and channels.
Status check_tensor(std::string_view owner, const ResizeInput& tensor,
                    const ResizeSumProblem& problem) {
  constexpr int64_t kMost = 65536;  // coordinate * extent stays within 32 bits
  YOLOCU_RETURN_IF_ERROR(check_extent(owner, "height", tensor.height, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent(owner, "width", tensor.width, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_view(owner, tensor.view, problem.channels));
  const auto pixels = checked_mul(problem.batch, tensor.height * tensor.width);
  return check_reach(owner, tensor.view, pixels.value_or(INT64_MAX));
}

Status check_problem(const ResizeSumProblem& problem) {
  constexpr std::string_view kOwner = "resize_sum";
  constexpr int64_t kMost = int64_t{1} << 30;
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "batch", problem.batch, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "count", problem.count, 1, kMostResizeInputs));
  YOLOCU_RETURN_IF_ERROR(check_alignment(kOwner, problem.alignment_bytes, problem.dtype));
  YOLOCU_RETURN_IF_ERROR(
      check_tensor("resize_sum y", {problem.out_height, problem.out_width, problem.y}, problem));
  for (int64_t i = 0; i < problem.count; ++i) {
    YOLOCU_RETURN_IF_ERROR(check_tensor(str_cat("resize_sum input ", i),
                                        used_inputs(problem)[static_cast<size_t>(i)], problem));
  }
  return {};
}

bool all_have_vectors(const ResizeSumProblem& problem, int64_t bytes) {
  const auto fits = [&](const ChannelView& view) {
    return has_vectors(view, problem.dtype, problem.alignment_bytes, bytes);
  };
  return fits(problem.y) && std::ranges::all_of(used_inputs(problem), fits, &ResizeInput::view);
}

}  // namespace

std::span<const ResizeSumVariant> resize_sum_variants() {
  return kVariants;
}

Status can_implement(const ResizeSumVariant& variant, const ResizeSumProblem& problem) {
  if (variant.dtype != problem.dtype) {
    return unsupported(str_cat(variant.name, ": expected ", dtype_name(variant.dtype), ", got ",
                               dtype_name(problem.dtype)));
  }
  YOLOCU_RETURN_IF_ERROR(check_problem(problem));
  if (all_have_vectors(problem, variant.vector_bytes)) return {};
  return unsupported(str_cat(variant.name, ": bases, offsets and strides are not multiples of ",
                             variant.vector_bytes, " bytes"));
}

Result<ResizeSumVariant> select_resize_sum(const ResizeSumProblem& problem) {
  Status reason = unsupported(str_cat("resize_sum: no variant for ", dtype_name(problem.dtype)));
  for (size_t i = kVariants.size(); i-- > 0;) {
    if (kVariants[i].dtype != problem.dtype) continue;
    reason = can_implement(kVariants[i], problem);
    if (reason.ok()) return kVariants[i];
  }
  return reason;
}

}  // namespace yolocu
