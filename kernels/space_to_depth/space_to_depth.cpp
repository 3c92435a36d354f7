// Legality and choices of space_to_depth: the host part, compiled with and without CUDA.
#include "kernels/space_to_depth/space_to_depth.h"

#include <array>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "kernels/view_checks.h"

namespace yolocu {
namespace {

constexpr auto kVariants = std::to_array<SpaceToDepthVariant>({
#define VARIANT(name, dtype, bytes) {#name, DType::dtype, bytes},
#include "kernels/space_to_depth/variants.inc"
#undef VARIANT
});

Status check_problem(const SpaceToDepthProblem& problem) {
  constexpr std::string_view kOwner = "space_to_depth";
  constexpr int64_t kMost = int64_t{1} << 30;
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "batch", problem.batch, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "height", problem.height, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "width", problem.width, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "channels", problem.channels, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "padding", problem.padding, 0, kMost));
  if (problem.height % 2 != 0 || problem.width % 2 != 0) {
    return invalid_argument(str_cat(kOwner, ": expected an even height and width, got ",
                                    problem.height, "x", problem.width));
  }
  YOLOCU_RETURN_IF_ERROR(check_alignment(kOwner, problem.alignment_bytes, problem.dtype));
  YOLOCU_RETURN_IF_ERROR(check_view("space_to_depth x", problem.x, problem.channels));
  YOLOCU_RETURN_IF_ERROR(
      check_view("space_to_depth y", problem.y, 4 * problem.channels + problem.padding));
  const auto pixels = checked_mul(problem.batch, problem.height * problem.width);
  YOLOCU_RETURN_IF_ERROR(check_reach("space_to_depth x", problem.x, pixels.value_or(INT64_MAX)));
  return check_reach("space_to_depth y", problem.y, *pixels / 4);
}

}  // namespace

std::span<const SpaceToDepthVariant> space_to_depth_variants() {
  return kVariants;
}

Status can_implement(const SpaceToDepthVariant& variant, const SpaceToDepthProblem& problem) {
  if (variant.dtype != problem.dtype) {
    return unsupported(str_cat(variant.name, ": expected ", dtype_name(variant.dtype), ", got ",
                               dtype_name(problem.dtype)));
  }
  YOLOCU_RETURN_IF_ERROR(check_problem(problem));
  const int64_t bytes = variant.vector_bytes;
  // Each of the four blocks of y begins at a multiple of the channels.
  const int64_t vector = bytes / size_bytes(problem.dtype);
  if (problem.channels % vector == 0 && problem.padding % vector == 0 &&
      has_vectors(problem.x, problem.dtype, problem.alignment_bytes, bytes) &&
      has_vectors(problem.y, problem.dtype, problem.alignment_bytes, bytes)) {
    return {};
  }
  return unsupported(str_cat(variant.name,
                             ": channels, padding, bases, offsets and strides are not ",
                             "multiples of ", bytes, " bytes"));
}

Result<SpaceToDepthVariant> select_space_to_depth(const SpaceToDepthProblem& problem) {
  Status reason =
      unsupported(str_cat("space_to_depth: no variant for ", dtype_name(problem.dtype)));
  for (size_t i = kVariants.size(); i-- > 0;) {
    if (kVariants[i].dtype != problem.dtype) continue;
    reason = can_implement(kVariants[i], problem);
    if (reason.ok()) return kVariants[i];
  }
  return reason;
}

}  // namespace yolocu
