// Legality and choices of channel_copy: the host part, compiled with and without CUDA.
#include "kernels/copy/channel_copy.h"

#include <algorithm>
#include <array>
#include <bit>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "kernels/copy/tile.h"

namespace yolocu {
namespace {

constexpr auto kVariants = std::to_array<ChannelCopyVariant>({
#define VARIANT(name, algorithm, dtype, bytes) \
  {#name, ChannelCopyAlgorithm::algorithm, DType::dtype, bytes},
#include "kernels/copy/variants.inc"
#undef VARIANT
});

// One side of the copy, in elements.
struct Side {
  std::string_view name;
  int64_t pixel_stride, offset;
};

Status check_side(const Side& side, const ChannelCopyProblem& problem) {
  if (side.offset < 0 || side.pixel_stride < problem.channels ||
      side.offset > side.pixel_stride - problem.channels) {
    return invalid_argument(str_cat("channel_copy ", side.name, ": channels ", side.offset, "..+",
                                    problem.channels, " do not fit in a pixel of ",
                                    side.pixel_stride));
  }
  const auto elements = checked_mul(problem.pixels, side.pixel_stride);
  if (!elements || !checked_mul(*elements, size_bytes(problem.dtype))) {
    return invalid_argument(str_cat("channel_copy ", side.name, ": ", problem.pixels, " pixels of ",
                                    side.pixel_stride, " channels overflow"));
  }
  return {};
}

Status check_problem(const ChannelCopyProblem& problem) {
  if (problem.pixels < 1 || problem.channels < 1) {
    return invalid_argument(str_cat("channel_copy: expected at least one pixel and channel, got ",
                                    problem.pixels, " and ", problem.channels));
  }
  if (problem.alignment_bytes < size_bytes(problem.dtype) ||
      !std::has_single_bit(static_cast<uint64_t>(problem.alignment_bytes))) {
    return invalid_argument(
        str_cat("channel_copy: expected an alignment that is a power of two of ", "at least ",
                size_bytes(problem.dtype), " bytes, got ", problem.alignment_bytes));
  }
  YOLOCU_RETURN_IF_ERROR(
      check_side({"dst", problem.dst_pixel_stride, problem.dst_offset}, problem));
  return check_side({"src", problem.src_pixel_stride, problem.src_offset}, problem);
}

// True if every pixel's first channel lies at a multiple of `bytes` on both sides.
bool is_aligned(const ChannelCopyProblem& problem, int64_t bytes) {
  const int64_t elements = bytes / size_bytes(problem.dtype);
  return problem.alignment_bytes % bytes == 0 && problem.dst_pixel_stride % elements == 0 &&
         problem.dst_offset % elements == 0 && problem.src_pixel_stride % elements == 0 &&
         problem.src_offset % elements == 0;
}

int64_t ceil_div(int64_t a, int64_t b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

}  // namespace

std::span<const ChannelCopyVariant> channel_copy_variants() {
  return kVariants;
}

Status can_implement(const ChannelCopyVariant& variant, const ChannelCopyProblem& problem) {
  if (variant.dtype != problem.dtype) {
    return unsupported(str_cat(variant.name, ": expected ", dtype_name(variant.dtype), ", got ",
                               dtype_name(problem.dtype)));
  }
  YOLOCU_RETURN_IF_ERROR(check_problem(problem));
  if (!is_aligned(problem, variant.vector_bytes)) {
    return unsupported(str_cat(variant.name, ": bases, offsets and strides are not multiples of ",
                               variant.vector_bytes, " bytes"));
  }
  return {};
}

Result<ChannelCopyVariant> select_channel_copy(const ChannelCopyProblem& problem) {
  Status reason = unsupported(str_cat("channel_copy: no variant for ", dtype_name(problem.dtype)));
  for (size_t i = kVariants.size(); i-- > 0;) {
    if (kVariants[i].dtype != problem.dtype) continue;
    reason = can_implement(kVariants[i], problem);
    if (reason.ok()) return kVariants[i];
  }
  return reason;
}

ChannelCopyTile choose_tile(const ChannelCopyVariant& variant, const ChannelCopyProblem& problem) {
  constexpr int64_t kWarp = 32;
  constexpr int64_t kMostBlocks = INT32_MAX;
  if (variant.algorithm == ChannelCopyAlgorithm::kNaive) {
    const int64_t elements = problem.pixels * problem.channels;
    return {1, kChannelCopyThreads, std::min(kMostBlocks, ceil_div(elements, kChannelCopyThreads))};
  }
  const int64_t vectors =
      ceil_div(problem.channels * size_bytes(problem.dtype), variant.vector_bytes);
  const auto covering = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(vectors)));
  const int64_t lanes = std::min(kWarp, covering);
  const int64_t pixels = kChannelCopyThreads / lanes;
  return {lanes, pixels, std::min(kMostBlocks, ceil_div(problem.pixels, pixels))};
}

}  // namespace yolocu
