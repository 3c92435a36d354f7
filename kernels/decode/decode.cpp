// Legality, selection and launches of decode: host code.
#include "kernels/decode/decode.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "kernels/decode/tile.h"

namespace yolocu {
namespace {

constexpr std::array kVariants = {
#define VARIANT(name, head, dtype) DecodeVariant{#name, DecodeHead::head, DType::dtype},
#include "kernels/decode/variants.inc"
#undef VARIANT
};

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

bool is_positive(float value) {
  return value > 0.0f && std::isfinite(value);  // NaN fails
}

Status check_range(std::string_view name, int64_t value, int64_t most = kMost) {
  if (value < 1) {
    return invalid_argument(str_cat("decode: expected ", name, " of at least 1, got ", value));
  }
  if (value <= most) return {};
  return unsupported(str_cat("decode: ", name, " ", value, " is above ", most));
}

struct MapView {
  std::string_view name;
  int64_t channels, pixel_stride, offset;
};

Status check_view(const MapView& view, const DecodeLevel& level, const DecodeProblem& problem) {
  YOLOCU_RETURN_IF_ERROR(check_range(view.name, view.pixel_stride));
  if (view.offset < 0 || view.channels > view.pixel_stride ||
      view.offset > view.pixel_stride - view.channels) {
    return invalid_argument(str_cat("decode: ", view.name, " ", view.offset, "..+", view.channels,
                                    " does not fit in a pixel of ", view.pixel_stride));
  }
  const int64_t extents[] = {problem.batch, level.height, level.width, view.pixel_stride,
                             size_bytes(problem.dtype)};
  if (checked_element_count(extents)) return {};
  return invalid_argument(str_cat("decode: the size of the ", view.name, " overflows"));
}

Status check_anchors(const DecodeLevel& level) {
  YOLOCU_RETURN_IF_ERROR(check_range("anchors of a level", level.anchors, kMaxLevelAnchors));
  const auto* const sizes = level.sizes.data();
  if (std::all_of(sizes, sizes + 2 * level.anchors, is_positive)) return {};
  return invalid_argument("decode: expected anchor sizes above 0");
}

Status check_level(const DecodeLevel& level, const DecodeProblem& problem) {
  YOLOCU_RETURN_IF_ERROR(check_range("height", level.height));
  YOLOCU_RETURN_IF_ERROR(check_range("width", level.width));
  if (!is_positive(level.stride)) {
    return invalid_argument(str_cat("decode: expected a stride above 0, got ", level.stride));
  }
  if (problem.head == DecodeHead::kAnchor) {
    YOLOCU_RETURN_IF_ERROR(check_anchors(level));
    const int64_t channels = level.anchors * (5 + problem.classes);
    return check_view({"head", channels, level.box_pixel_stride, level.box_offset}, level, problem);
  }
  YOLOCU_RETURN_IF_ERROR(check_view(
      {"box map", 4 * problem.bins, level.box_pixel_stride, level.box_offset}, level, problem));
  return check_view({"class map", problem.classes, level.class_pixel_stride, level.class_offset},
                    level, problem);
}

// Anchors of one picture; nullopt if they overflow.
std::optional<int64_t> checked_anchors(const DecodeProblem& problem) {
  std::optional<int64_t> sum = 0;
  for (int64_t i = 0; i < problem.level_count && sum; ++i) {
    const DecodeLevel& level = problem.levels[static_cast<size_t>(i)];
    const int64_t extents[] = {level.height, level.width,
                               problem.head == DecodeHead::kAnchor ? level.anchors : 1};
    const auto anchors = checked_element_count(extents);
    sum = anchors ? checked_add(*sum, *anchors) : std::nullopt;
  }
  return sum;
}

Status check_problem(const DecodeProblem& problem) {
  YOLOCU_RETURN_IF_ERROR(check_range("batch", problem.batch, 65535));
  YOLOCU_RETURN_IF_ERROR(check_range("classes", problem.classes));
  if (problem.head == DecodeHead::kDfl) {
    YOLOCU_RETURN_IF_ERROR(check_range("bins", problem.bins));
  }
  YOLOCU_RETURN_IF_ERROR(check_range("levels", problem.level_count, kMaxDecodeLevels));
  for (int64_t i = 0; i < problem.level_count; ++i) {
    YOLOCU_RETURN_IF_ERROR(check_level(problem.levels[static_cast<size_t>(i)], problem));
  }
  const auto anchors = checked_anchors(problem);
  const auto pairs = anchors ? checked_mul(*anchors, problem.classes + 5) : std::nullopt;
  if (pairs && *pairs <= kMost) return {};
  return unsupported(str_cat("decode: more than ", kMost, " elements of a picture's predictions"));
}

struct Pointer {
  std::string_view name;
  const void* pointer;
  int64_t alignment;
};

Status check_pointer(const Pointer& p) {
  const auto address = reinterpret_cast<uintptr_t>(p.pointer);
  if (p.pointer != nullptr && address % static_cast<uintptr_t>(p.alignment) == 0) return {};
  return invalid_argument(str_cat("decode ", p.name, ": expected memory aligned to ", p.alignment,
                                  " bytes, got ", p.pointer));
}

Status check_heads(const DecodeHeads& heads, const DecodeProblem& problem) {
  const int64_t alignment = size_bytes(problem.dtype);
  for (size_t i = 0; i < static_cast<size_t>(problem.level_count); ++i) {
    YOLOCU_RETURN_IF_ERROR(check_pointer({"boxes", heads.boxes[i], alignment}));
    if (problem.head == DecodeHead::kAnchor) continue;
    YOLOCU_RETURN_IF_ERROR(check_pointer({"classes", heads.classes[i], alignment}));
  }
  return {};
}

}  // namespace

std::span<const DecodeVariant> decode_variants() {
  return kVariants;
}

Status can_implement(const DecodeVariant& variant, const DecodeProblem& problem) {
  if (variant.dtype != problem.dtype || variant.head != problem.head) {
    return unsupported(str_cat(variant.name, ": the problem has another head or is of ",
                               dtype_name(problem.dtype)));
  }
  return check_problem(problem);
}

Status check_rule(const CandidateRule& rule) {
  YOLOCU_RETURN_IF_ERROR(check_range("capacity", rule.capacity));
  // Written so that NaN fails.
  if (rule.confidence >= 0.0f && rule.confidence <= 1.0f) return {};
  return invalid_argument(
      str_cat("decode: expected a confidence of 0 to 1, got ", rule.confidence));
}

Result<DecodeVariant> select_decode(const DecodeProblem& problem) {
  for (const DecodeVariant& variant : kVariants) {
    if (variant.dtype != problem.dtype || variant.head != problem.head) continue;
    YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
    return variant;
  }
  return unsupported(str_cat("decode: no variant for ", dtype_name(problem.dtype)));
}

LaunchConfig decode_launch(const DecodeProblem& problem) {
  constexpr int64_t kWarps = kDecodeThreads / 32;
  const int64_t rows = problem.batch * problem.anchors();
  return {.grid = {std::min(kMost, (rows + kWarps - 1) / kWarps)}, .block = {kDecodeThreads},
          .start = StartRule::kOverlapPrevious};
}

float least_logit(float confidence) {
  // The sigmoid errs by 2e-5 of its value at most, 88 * 2^-23 from the exponent included.
  const double lower = static_cast<double>(confidence) * (1.0 - 1e-4);
  return static_cast<float>(std::log(lower / (1.0 - lower))) - 1e-3f;  // -infinity for 0
}

Status check_tensors(const PredictionTensors& tensors, const DecodeProblem& problem) {
  YOLOCU_RETURN_IF_ERROR(check_pointer({"predictions", tensors.predictions, 4}));
  return check_heads(tensors.heads, problem);
}

Status check_tensors(const CandidateTensors& tensors, const DecodeProblem& problem) {
  YOLOCU_RETURN_IF_ERROR(check_pointer({"lists.boxes", tensors.lists.boxes, 16}));
  YOLOCU_RETURN_IF_ERROR(check_pointer({"lists.keys", tensors.lists.keys, 8}));
  YOLOCU_RETURN_IF_ERROR(check_pointer({"lists.counts", tensors.lists.counts, 4}));
  if (reinterpret_cast<uintptr_t>(tensors.wanted_classes) % 4 != 0) {
    return check_pointer({"wanted_classes", tensors.wanted_classes, 4});
  }
  return check_heads(tensors.heads, problem);
}

}  // namespace yolocu
