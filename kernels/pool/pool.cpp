// Legality and choices of the pools: the host part, compiled with and without CUDA.
#include "kernels/pool/pool.h"

#include <array>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "kernels/view_checks.h"

namespace yolocu {
namespace {

constexpr auto kVariants = std::to_array<PoolVariant>({
#define VARIANT(name, kind, dtype, bytes) {#name, PoolKind::kind, DType::dtype, bytes},
#include "kernels/pool/variants.inc"
#undef VARIANT
});

Status check_window(const PoolProblem& problem) {
  constexpr std::string_view kOwner = "pool";
  constexpr int64_t kMost = 1024;  // keeps every sum of coordinates within 32 bits
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "window", problem.window, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "stride", problem.stride, 1, kMost));
  const int64_t most_padding = problem.kind == PoolKind::kMax ? problem.window / 2 : 0;
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "padding", problem.padding, 0, most_padding));
  const int64_t shorter = problem.height < problem.width ? problem.height : problem.width;
  return check_extent(kOwner, "window", problem.window, 1, shorter + 2 * problem.padding);
}

Status check_problem(const PoolProblem& problem) {
  constexpr int64_t kMost = int64_t{1} << 30;
  YOLOCU_RETURN_IF_ERROR(check_extent("pool", "batch", problem.batch, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent("pool", "height", problem.height, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_extent("pool", "width", problem.width, 1, kMost));
  YOLOCU_RETURN_IF_ERROR(check_window(problem));
  YOLOCU_RETURN_IF_ERROR(check_alignment("pool", problem.alignment_bytes, problem.dtype));
  YOLOCU_RETURN_IF_ERROR(check_view("pool x", problem.x, problem.channels));
  YOLOCU_RETURN_IF_ERROR(check_view("pool y", problem.y, problem.channels));
  const auto pixels = [&](int64_t height, int64_t width) {
    return checked_mul(problem.batch, height * width).value_or(INT64_MAX);
  };
  YOLOCU_RETURN_IF_ERROR(check_reach("pool x", problem.x, pixels(problem.height, problem.width)));
  return check_reach("pool y", problem.y, pixels(problem.out_height(), problem.out_width()));
}

bool has_vectors(const PoolProblem& problem, int64_t bytes) {
  return has_vectors(problem.x, problem.dtype, problem.alignment_bytes, bytes) &&
         has_vectors(problem.y, problem.dtype, problem.alignment_bytes, bytes);
}

}  // namespace

std::span<const PoolVariant> pool_variants() {
  return kVariants;
}

Status can_implement(const PoolVariant& variant, const PoolProblem& problem) {
  if (variant.dtype != problem.dtype) {
    return unsupported(str_cat(variant.name, ": expected ", dtype_name(variant.dtype), ", got ",
                               dtype_name(problem.dtype)));
  }
  if (variant.kind != problem.kind) {
    return unsupported(str_cat(variant.name, ": is another kind of pool"));
  }
  YOLOCU_RETURN_IF_ERROR(check_problem(problem));
  if (has_vectors(problem, variant.vector_bytes)) return {};
  return unsupported(str_cat(variant.name, ": bases, offsets and strides are not multiples of ",
                             variant.vector_bytes, " bytes"));
}

Result<PoolVariant> select_pool(const PoolProblem& problem) {
  Status reason = unsupported(str_cat("pool: no variant for ", dtype_name(problem.dtype)));
  for (size_t i = kVariants.size(); i-- > 0;) {
    if (kVariants[i].dtype != problem.dtype || kVariants[i].kind != problem.kind) continue;
    reason = can_implement(kVariants[i], problem);
    if (reason.ok()) return kVariants[i];
  }
  return reason;
}

}  // namespace yolocu
