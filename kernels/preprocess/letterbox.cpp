// Legality and choices of the letterbox: the host part, compiled with and without CUDA.
#include "kernels/preprocess/letterbox.h"

#include <array>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "kernels/preprocess/tile.h"
#include "kernels/view_checks.h"

namespace yolocu {
namespace {

constexpr auto kVariants = std::to_array<LetterboxVariant>({
#define VARIANT(name, dtype, bytes) {#name, DType::dtype, bytes},
#include "kernels/preprocess/variants.inc"
#undef VARIANT
});

constexpr int64_t kPictureChannels = 3;
constexpr int64_t kMostPixels = int64_t{1} << 20;  // of an extent: positions stay exact enough

Status check_problem(const LetterboxProblem& problem) {
  constexpr std::string_view kOwner = "letterbox y";
  constexpr int64_t kMostBlocks = 65535;  // in y and z of a grid
  YOLOCU_RETURN_IF_ERROR(
      check_extent(kOwner, "height", problem.height, 1, kMostBlocks * kLetterboxTileHeight));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "width", problem.width, 1, kMostPixels));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "batch", problem.batch, 1, INT32_MAX));
  YOLOCU_RETURN_IF_ERROR(
      check_extent(kOwner, "channels", problem.channels, kPictureChannels, INT32_MAX));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "pad_value", problem.pad_value, 0, 255));
  YOLOCU_RETURN_IF_ERROR(check_alignment(kOwner, problem.alignment_bytes, problem.dtype));
  YOLOCU_RETURN_IF_ERROR(check_view(kOwner, problem.y, problem.channels));
  if (problem.batch > kMostBlocks) {
    return unsupported(
        str_cat(kOwner, ": expected a batch of at most ", kMostBlocks, ", got ", problem.batch));
  }
  return check_reach(kOwner, problem.y, problem.batch * problem.height * problem.width);
}

// pixels of the picture for one of the resized. Divided twice, as OpenCV does: the last bit counts.
double resize_scale(int64_t resized, int64_t size) {
  return 1.0 / (static_cast<double>(resized) / static_cast<double>(size));
}

Status check_place(const LetterboxPlace& place, const LetterboxProblem& problem) {
  const auto fits = [](int64_t first, int64_t count, int64_t extent) {
    return first >= 0 && count >= 1 && first + count <= extent;
  };
  if (fits(place.left, place.resized_width, problem.width) &&
      fits(place.top, place.resized_height, problem.height)) {
    return {};
  }
  return invalid_argument(str_cat("letterbox picture: ", place.resized_width, "x",
                                  place.resized_height, " at ", place.left, ",", place.top,
                                  " is not within ", problem.width, "x", problem.height));
}

}  // namespace

Result<LetterboxPicture> letterbox_picture(const uint8_t* pixels, int64_t width, int64_t height,
                                           int64_t row_bytes, const LetterboxPlace& place,
                                           const LetterboxProblem& problem) {
  constexpr std::string_view kOwner = "letterbox picture";
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "width", width, 1, kMostPixels));
  YOLOCU_RETURN_IF_ERROR(check_extent(kOwner, "height", height, 1, kMostPixels));
  YOLOCU_RETURN_IF_ERROR(
      check_extent(kOwner, "row_bytes", row_bytes, width * kPictureChannels, int64_t{1} << 40));
  YOLOCU_RETURN_IF_ERROR(check_pointer(kOwner, pixels, 1));
  YOLOCU_RETURN_IF_ERROR(check_place(place, problem));
  return LetterboxPicture{
      .bytes = {pixels, row_bytes},
      .extents = {static_cast<int32_t>(width), static_cast<int32_t>(height), {}},
      .scales = {resize_scale(place.resized_width, width),
                 resize_scale(place.resized_height, height)},
      .place = {place}};
}

std::span<const LetterboxVariant> letterbox_variants() {
  return kVariants;
}

Status can_implement(const LetterboxVariant& variant, const LetterboxProblem& problem) {
  if (variant.dtype != problem.dtype) {
    return unsupported(str_cat(variant.name, ": expected ", dtype_name(variant.dtype), ", got ",
                               dtype_name(problem.dtype)));
  }
  YOLOCU_RETURN_IF_ERROR(check_problem(problem));
  const int64_t elements = variant.vector_bytes / size_bytes(variant.dtype);
  if (problem.channels % elements == 0 &&
      has_vectors(problem.y, problem.dtype, problem.alignment_bytes, variant.vector_bytes)) {
    return {};
  }
  return unsupported(str_cat(variant.name, ": channels, base, offset or stride of y are not ",
                             "multiples of ", variant.vector_bytes, " bytes"));
}

Result<LetterboxVariant> select_letterbox(const LetterboxProblem& problem) {
  Status reason = unsupported(str_cat("letterbox: no variant for ", dtype_name(problem.dtype)));
  for (size_t i = kVariants.size(); i-- > 0;) {
    if (kVariants[i].dtype != problem.dtype) continue;
    reason = can_implement(kVariants[i], problem);
    if (reason.ok()) return kVariants[i];
  }
  return reason;
}

LaunchConfig letterbox_launch(const LetterboxProblem& problem, Stream stream) {
  const auto ceil_div = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  return {.grid = {ceil_div(problem.width, kLetterboxTileWidth),
                   ceil_div(problem.height, kLetterboxTileHeight), problem.batch},
          .block = {kLetterboxTileWidth, kLetterboxTileHeight},
          .stream = stream};
}

}  // namespace yolocu
