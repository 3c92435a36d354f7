#include "kernels/view_checks.h"

#include <bit>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"

namespace yolocu {

Status check_view(std::string_view owner, const ChannelView& view, int64_t channels) {
  constexpr int64_t kMost = int64_t{1} << 30;
  if (channels >= 1 && view.offset >= 0 && view.pixel_stride >= channels &&
      view.pixel_stride <= kMost && view.offset <= view.pixel_stride - channels) {
    return {};
  }
  return invalid_argument(str_cat(owner, ": channels ", view.offset, "..+", channels,
                                  " do not fit in a pixel of ", view.pixel_stride));
}

Status check_reach(std::string_view owner, const ChannelView& view, int64_t pixels) {
  const auto elements = checked_mul(pixels, view.pixel_stride);
  if (elements && *elements <= INT32_MAX) return {};
  return unsupported(str_cat(owner, ": expected fewer than 2^31 elements, got ", pixels,
                             " pixels of ", view.pixel_stride));
}

Status check_extent(std::string_view owner, std::string_view extent, int64_t value, int64_t lowest,
                    int64_t highest) {
  if (value >= lowest && value <= highest) return {};
  return invalid_argument(
      str_cat(owner, ": expected ", extent, " in ", lowest, "..", highest, ", got ", value));
}

Status check_alignment(std::string_view owner, int64_t alignment_bytes, DType dtype) {
  if (alignment_bytes >= size_bytes(dtype) &&
      std::has_single_bit(static_cast<uint64_t>(alignment_bytes))) {
    return {};
  }
  return invalid_argument(str_cat(owner, ": expected an alignment that is a power of two of at ",
                                  "least ", size_bytes(dtype), " bytes, got ", alignment_bytes));
}

Status check_pointer(std::string_view owner, const void* pointer, int64_t alignment_bytes) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (pointer != nullptr && address % static_cast<uintptr_t>(alignment_bytes) == 0) return {};
  return invalid_argument(
      str_cat(owner, ": expected memory aligned to ", alignment_bytes, " bytes, got ", pointer));
}

bool has_vectors(const ChannelView& view, DType dtype, int64_t alignment_bytes,
                 int64_t vector_bytes) {
  const int64_t elements = vector_bytes / size_bytes(dtype);
  return alignment_bytes % vector_bytes == 0 && view.pixel_stride % elements == 0 &&
         view.offset % elements == 0;
}

}  // namespace yolocu
