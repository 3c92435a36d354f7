#include "kernels/tensor_map_spec.h"

#include <bit>
#include <string_view>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr int64_t kChunkBytes = 16;  // TMA moves nothing smaller
constexpr int64_t kMostSize = int64_t{1} << 32;
constexpr int64_t kMostStrideBytes = (int64_t{1} << 40) - kChunkBytes;
constexpr int64_t kMostTraversal = 8;
constexpr int64_t kMostBox = 256;
constexpr int64_t kMostPixels = 1024;

struct Range {
  int64_t least, most;
};

// "tensor map: box[1] must be in 1..256, got 257"; no index if it is negative.
Status check_range(std::string_view field, int index, Range range, int64_t value) {
  if (value >= range.least && value <= range.most) return {};
  const std::string subscript = index < 0 ? "" : str_cat("[", index, "]");
  return invalid_argument(str_cat("tensor map: ", field, subscript, " must be in ", range.least,
                                  "..", range.most, ", got ", value));
}

Status check_address(const TensorMapSpec& spec) {
  const auto address = std::bit_cast<uintptr_t>(spec.address);
  if (address == 0) return invalid_argument("tensor map: address must not be null");
  if (address % kChunkBytes == 0) return {};
  return invalid_argument(str_cat("tensor map: address must be a multiple of 16 bytes, got one ",
                                  address % kChunkBytes, " bytes past a multiple"));
}

Status check_fill(const TensorMapSpec& spec) {
  const bool is_integer =
      spec.type == MapType::kU8 || spec.type == MapType::kU32 || spec.type == MapType::kI32;
  if (spec.fill == MapFill::kZero || !is_integer) return {};
  return invalid_argument("tensor map: fill kNan needs a float type, got an integer type");
}

Status check_stride(int dimension, int64_t stride_bytes) {
  YOLOCU_RETURN_IF_ERROR(
      check_range("stride_bytes", dimension, {kChunkBytes, kMostStrideBytes}, stride_bytes));
  if (stride_bytes % kChunkBytes == 0) return {};
  return invalid_argument(str_cat("tensor map: stride_bytes[", dimension,
                                  "] must be a multiple of 16, got ", stride_bytes));
}

Status check_tensor(const TensorMapSpec& spec) {
  for (int d = 0; d < spec.rank; ++d) {
    YOLOCU_RETURN_IF_ERROR(check_range("size", d, {1, kMostSize}, spec.size[d]));
    if (d == 0) continue;
    YOLOCU_RETURN_IF_ERROR(check_stride(d, spec.stride_bytes[d]));
    YOLOCU_RETURN_IF_ERROR(check_range("traversal", d, {1, kMostTraversal}, spec.traversal[d]));
  }
  return {};
}

// What one row of the box, contiguous on both sides, must be.
Status check_box_row(const TensorMapSpec& spec) {
  const int64_t row_bytes = spec.box[0] * map_type_bytes(spec.type);
  if (row_bytes % kChunkBytes != 0) {
    return invalid_argument(
        str_cat("tensor map: box[0] must be a multiple of 16 bytes, got ", row_bytes, " bytes"));
  }
  const int64_t span_bytes = swizzle_span_bytes(spec.swizzle);
  if (spec.swizzle == Swizzle::kNone || row_bytes <= span_bytes) return {};
  return invalid_argument(str_cat("tensor map: box[0] must be at most the swizzle's ", span_bytes,
                                  " bytes, got ", row_bytes, " bytes"));
}

Range corner_range(int rank) {
  if (rank == 3) return {-32768, 32767};
  return rank == 4 ? Range{-128, 127} : Range{-16, 15};
}

Status check_corners(const TensorMapSpec& spec) {
  for (int i = 0; i < spec.rank - 2; ++i) {
    const int64_t lower = spec.lower[i], upper = spec.upper[i], size = spec.size[i + 1];
    YOLOCU_RETURN_IF_ERROR(check_range("lower", i, corner_range(spec.rank), lower));
    YOLOCU_RETURN_IF_ERROR(check_range("upper", i, corner_range(spec.rank), upper));
    if (lower <= size - 1 + upper) continue;
    return invalid_argument(str_cat("tensor map: the box of base pixels of size[", i + 1,
                                    "] must not be empty, got ", lower, "..", size - 1 + upper));
  }
  return {};
}

Status check_im2col(const TensorMapSpec& spec) {
  YOLOCU_RETURN_IF_ERROR(check_range("pixels", -1, {1, kMostPixels}, spec.pixels));
  YOLOCU_RETURN_IF_ERROR(check_corners(spec));
  if (spec.traversal[spec.rank - 1] == 1) return {};
  return invalid_argument(str_cat("tensor map: traversal[", spec.rank - 1,
                                  "] of kIm2col, of images, must be 1, got ",
                                  spec.traversal[spec.rank - 1]));
}

}  // namespace

int64_t map_type_bytes(MapType type) {
  switch (type) {
    case MapType::kU8: return 1;
    case MapType::kF16:
    case MapType::kBF16: return 2;
    case MapType::kU32:
    case MapType::kI32:
    case MapType::kF32: return 4;
  }
  return 0;
}

int64_t swizzle_span_bytes(Swizzle swizzle) {
  switch (swizzle) {
    case Swizzle::kNone: return 16;
    case Swizzle::k32B: return 32;
    case Swizzle::k64B: return 64;
    case Swizzle::k128B: return 128;
  }
  return 0;
}

Status check_tensor_map(const TensorMapSpec& spec) {
  const bool is_im2col = spec.mode == MapMode::kIm2col;
  YOLOCU_RETURN_IF_ERROR(check_range("rank", -1, {is_im2col ? 3 : 1, kMapMaxRank}, spec.rank));
  YOLOCU_RETURN_IF_ERROR(check_address(spec));
  YOLOCU_RETURN_IF_ERROR(check_fill(spec));
  YOLOCU_RETURN_IF_ERROR(check_tensor(spec));
  const int box_rank = is_im2col ? 1 : spec.rank;
  for (int d = 0; d < box_rank; ++d) {
    YOLOCU_RETURN_IF_ERROR(check_range("box", d, {1, kMostBox}, spec.box[d]));
  }
  YOLOCU_RETURN_IF_ERROR(check_box_row(spec));
  return is_im2col ? check_im2col(spec) : Status();
}

}  // namespace yolocu
