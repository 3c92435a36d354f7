#include "weights/import/tensor_gather.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string>

#include "engine/base/checked.h"
#include "engine/base/half.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they lie");

constexpr size_t kMaxDimensions = 16;

// Index of the view's last element; nullopt on overflow or a negative operand. No extent is 0.
std::optional<int64_t> last_index(const StridedView& view) {
  std::optional<int64_t> last = view.offset;
  for (size_t d = 0; d < view.shape.size(); ++d) {
    const auto reach = checked_mul(view.shape[d] - 1, view.strides[d]);
    if (!reach) return std::nullopt;
    last = checked_add(*last, *reach);
    if (!last) return std::nullopt;
  }
  return last;
}

std::string describe(const StridedView& view) {
  constexpr size_t kShown = 4;  // dimensions of any weight; 16 large numbers are no message
  if (view.shape.size() > kShown) return str_cat(view.shape.size(), " sizes and strides");
  return str_cat("size ", shape_text(view.shape), ", strides ", shape_text(view.strides),
                 ", offset ", view.offset);
}

template <typename T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The same elements with dimensions merged that follow each other without a gap: a dense tensor
// becomes one row.
StridedView merged(const StridedView& view) {
  StridedView result{view.offset, {}, {}};
  for (size_t d = 0; d < view.shape.size(); ++d) {
    if (view.shape[d] == 1) continue;  // never stepped over, so its stride may be any number
    if (!result.shape.empty() && result.strides.back() == view.shape[d] * view.strides[d]) {
      result.shape.back() *= view.shape[d];
      result.strides.back() = view.strides[d];
    } else {
      result.shape.push_back(view.shape[d]);
      result.strides.push_back(view.strides[d]);
    }
  }
  return result;
}

// Calls visit(first element index, count, stride) for each innermost row, in row-major order.
template <typename Visit>
void for_each_row(const StridedView& view, Visit visit) {
  if (view.shape.empty()) return visit(view.offset, int64_t{1}, int64_t{0});
  const size_t inner = view.shape.size() - 1;
  std::vector<int64_t> at(inner, 0);
  const std::vector<int64_t>& strides = view.strides;
  int64_t row = view.offset;
  while (true) {
    visit(row, view.shape[inner], strides[inner]);
    size_t d = inner;
    while (d > 0) {
      --d;
      row += strides[d];
      if (++at[d] < view.shape[d]) break;
      row -= strides[d] * view.shape[d];
      at[d] = 0;
      if (d == 0) return;
    }
    if (inner == 0) return;
  }
}

template <typename Stored, typename Widen>
std::vector<float> gather_as(const StridedView& view, std::span<const std::byte> storage,
                             size_t count, Widen widen) {
  std::vector<float> values(count);
  if (count == 0) return values;
  auto out = values.begin();
  for_each_row(merged(view), [&](int64_t first, int64_t length, int64_t stride) {
    const std::byte* at = storage.data() + static_cast<size_t>(first) * sizeof(Stored);
    const size_t step = static_cast<size_t>(stride) * sizeof(Stored);
    for (int64_t i = 0; i < length; ++i) {
      *out++ = widen(load<Stored>(at + static_cast<size_t>(i) * step));
    }
  });
  return values;
}

}  // namespace

Result<int64_t> check_view(const StridedView& view, int64_t storage_elements) {
  if (view.shape.size() != view.strides.size() || view.shape.size() > kMaxDimensions) {
    return corrupt(str_cat("expected as many strides as sizes and at most ", kMaxDimensions,
                           ", got ", view.shape.size(), " sizes, ", view.strides.size(),
                           " strides"));
  }
  const auto negative = [](int64_t value) { return value < 0; };
  if (view.offset < 0 || std::ranges::any_of(view.shape, negative) ||
      std::ranges::any_of(view.strides, negative)) {
    return corrupt(describe(view) + ": negative");
  }
  if (std::ranges::find(view.shape, 0) != view.shape.end()) return 0;
  const auto count = checked_element_count(view.shape);
  const auto last = last_index(view);
  if (!count || !last || *last >= storage_elements) {
    return corrupt(
        str_cat(describe(view), ": leaves its storage of ", storage_elements, " elements"));
  }
  return *count;
}

std::vector<float> gather(const StridedView& view, DType dtype,
                          std::span<const std::byte> storage) {
  const auto count = static_cast<size_t>(checked_element_count(view.shape).value_or(0));
  const auto cast = [](auto value) { return static_cast<float>(value); };
  switch (dtype) {
    case DType::kU8: return gather_as<uint8_t>(view, storage, count, cast);
    case DType::kI8: return gather_as<int8_t>(view, storage, count, cast);
    case DType::kI16: return gather_as<int16_t>(view, storage, count, cast);
    case DType::kI32: return gather_as<int32_t>(view, storage, count, cast);
    case DType::kI64: return gather_as<int64_t>(view, storage, count, cast);
    case DType::kF16: return gather_as<uint16_t>(view, storage, count, half_to_float);
    case DType::kBF16: return gather_as<uint16_t>(view, storage, count, bfloat16_to_float);
    case DType::kF32: return gather_as<float>(view, storage, count, cast);
    case DType::kF64: return gather_as<double>(view, storage, count, cast);
  }
  return {};
}

}  // namespace yolocu
