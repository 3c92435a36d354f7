#include "engine/preprocess/letterbox.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr int64_t kChannels = 3;
constexpr int kWeightOne = 2048;  // a weight of 1: 11 bits, as cv2 has it

// Limits that keep every product of extents and row bytes far from overflow.
constexpr int64_t kMaxExtent = int64_t{1} << 20;
constexpr int64_t kMaxPixels = int64_t{1} << 30;

// Where output coordinate i samples the source: index[i] and its right neighbour next[i], with
// integer weights that sum to kWeightOne.
struct Taps {
  std::vector<int64_t> index, next;
  std::vector<int16_t> weight, next_weight;
};

// What cv2 does with a sample beyond the edge. The pixels read are the same, but kClampRow keeps
// the two weights, and rounding twice can differ by 1 from rounding once.
enum class Edge : uint8_t { kClampColumn, kClampRow };

Taps make_taps(int64_t dst_size, int64_t src_size, Edge edge) {
  Taps taps;
  const auto count = static_cast<size_t>(dst_size);
  taps.index.reserve(count);
  taps.next.reserve(count);
  taps.weight.reserve(count);
  taps.next_weight.reserve(count);
  const double scale = 1.0 / (static_cast<double>(dst_size) / static_cast<double>(src_size));
  for (int64_t i = 0; i < dst_size; ++i) {
    const auto position = static_cast<float>((static_cast<double>(i) + 0.5) * scale - 0.5);
    const auto first = static_cast<int64_t>(std::floor(position));
    float fraction = position - static_cast<float>(first);
    if (edge == Edge::kClampColumn && (first < 0 || first >= src_size - 1)) fraction = 0.0f;
    taps.index.push_back(std::clamp<int64_t>(first, 0, src_size - 1));
    taps.next.push_back(std::clamp<int64_t>(first + 1, 0, src_size - 1));
    taps.weight.push_back(static_cast<int16_t>(std::lrint((1.0f - fraction) * kWeightOne)));
    taps.next_weight.push_back(static_cast<int16_t>(std::lrint(fraction * kWeightOne)));
  }
  return taps;
}

// dst[x, c] = the row at the columns' taps, in 1/128 of a grey level (11 bits less 4).
void resize_row(int16_t* dst, const uint8_t* src, const Taps& columns) {
  const size_t width = columns.index.size();
  for (size_t x = 0; x < width; ++x) {
    const uint8_t* left = src + columns.index[x] * kChannels;
    const uint8_t* right = src + columns.next[x] * kChannels;
    const int left_weight = columns.weight[x];
    const int right_weight = columns.next_weight[x];
    for (int64_t c = 0; c < kChannels; ++c) {
      dst[c] = static_cast<int16_t>((left[c] * left_weight + right[c] * right_weight) >> 4);
    }
    dst += kChannels;
  }
}

// The two source rows used last, resized horizontally. Rows are asked for from top to bottom, so
// each is resized once.
class RowCache {
 public:
  RowCache(const ImageView& src, const Taps& columns) : src_(src), columns_(columns) {
    for (auto& row : rows_) row.resize(columns.index.size() * kChannels);
  }

  // Source row y; the row `other` is not thrown out for it.
  const int16_t* row(int64_t y, int64_t other) {
    size_t slot = numbers_[0] == other ? 1 : 0;
    if (numbers_[1 - slot] == y) slot = 1 - slot;
    if (numbers_[slot] != y)
      resize_row(rows_[slot].data(), src_.pixels + y * src_.row_bytes, columns_);
    numbers_[slot] = y;
    return rows_[slot].data();
  }

 private:
  const ImageView& src_;
  const Taps& columns_;
  std::array<std::vector<int16_t>, 2> rows_;
  std::array<int64_t, 2> numbers_ = {-1, -1};
};

// dst = upper * weight + lower * next_weight, each product cut off at 1/4 as in cv2.
void blend_rows(uint8_t* dst, const int16_t* upper, const int16_t* lower, int64_t count,
                int16_t weight, int16_t next_weight) {
  for (int64_t i = 0; i < count; ++i) {
    const int a = (upper[i] * weight) >> 16;
    const int b = (lower[i] * next_weight) >> 16;
    dst[i] = static_cast<uint8_t>((a + b + 2) >> 2);
  }
}

// dst = mean of 2 x 2 pixels, rounded half up: what cv2 makes of INTER_LINEAR at half size.
void halve(uint8_t* dst, int64_t dst_height, int64_t dst_width, const ImageView& src) {
  for (int64_t y = 0; y < dst_height; ++y) {
    const uint8_t* upper = src.pixels + 2 * y * src.row_bytes;
    const uint8_t* lower = upper + src.row_bytes;
    for (int64_t x = 0; x < dst_width; ++x) {
      for (int64_t c = 0; c < kChannels; ++c) {
        const int sum = upper[c] + upper[c + kChannels] + lower[c] + lower[c + kChannels];
        *dst++ = static_cast<uint8_t>((sum + 2) >> 2);
      }
      upper += 2 * kChannels;
      lower += 2 * kChannels;
    }
  }
}

// dst = src / 255, divided rather than multiplied by 1 / 255 so that values equal the official
// ones.
void normalize(float* dst, const uint8_t* src, int64_t count) {
  for (int64_t i = 0; i < count; ++i) dst[i] = static_cast<float>(src[i]) / 255.0f;
}

}  // namespace

void resize_bilinear_u8(std::span<uint8_t> dst, int64_t dst_height, int64_t dst_width,
                        const ImageView& src) {
  assert(static_cast<int64_t>(dst.size()) == dst_height * dst_width * kChannels);
  if (src.height == 2 * dst_height && src.width == 2 * dst_width) {
    return halve(dst.data(), dst_height, dst_width, src);
  }
  const Taps columns = make_taps(dst_width, src.width, Edge::kClampColumn);
  const Taps rows = make_taps(dst_height, src.height, Edge::kClampRow);
  const int64_t length = dst_width * kChannels;
  RowCache cache(src, columns);
  for (int64_t y = 0; y < dst_height; ++y) {
    const auto i = static_cast<size_t>(y);
    const int16_t* upper = cache.row(rows.index[i], rows.next[i]);
    const int16_t* lower = cache.row(rows.next[i], rows.index[i]);
    blend_rows(dst.data() + y * length, upper, lower, length, rows.weight[i], rows.next_weight[i]);
  }
}

Result<LetterboxGeometry> letterbox_geometry(int64_t height, int64_t width, int64_t net_height,
                                             int64_t net_width) {
  for (const int64_t extent : {height, width, net_height, net_width}) {
    if (extent < 1 || extent > kMaxExtent) {
      return invalid_argument(str_cat("expected extents of 1 to ", kMaxExtent,
                                      " pixels, got a picture of ", width, "x", height,
                                      " for an input of ", net_width, "x", net_height));
    }
  }
  if (height * width > kMaxPixels) {
    return invalid_argument(
        str_cat("expected a picture of at most ", kMaxPixels, " pixels, got ", width, "x", height));
  }
  const auto h = static_cast<double>(height);
  const auto w = static_cast<double>(width);
  const double gain =
      std::min(static_cast<double>(net_height) / h, static_cast<double>(net_width) / w);
  LetterboxGeometry g;
  g.resized_height = std::clamp<int64_t>(std::llrint(h * gain), 1, net_height);
  g.resized_width = std::clamp<int64_t>(std::llrint(w * gain), 1, net_width);
  g.top = std::llrint(static_cast<double>(net_height - g.resized_height) / 2 - 0.1);
  g.left = std::llrint(static_cast<double>(net_width - g.resized_width) / 2 - 0.1);
  return g;
}

Status check_image(const ImageView& image) {
  if (image.pixels == nullptr) return invalid_argument("expected a picture, got no pixels");
  if (image.row_bytes < image.width * kChannels) {
    return invalid_argument(str_cat("expected rows of at least ", image.width * kChannels,
                                    " bytes for a picture ", image.width, " pixels wide, got ",
                                    image.row_bytes));
  }
  return {};
}

Status letterbox(std::span<float> dst, int64_t net_height, int64_t net_width, int pad_value,
                 const ImageView& src, std::vector<uint8_t>& scratch) {
  YOLOCU_ASSIGN_OR_RETURN(const LetterboxGeometry g,
                          letterbox_geometry(src.height, src.width, net_height, net_width));
  YOLOCU_RETURN_IF_ERROR(check_image(src));
  assert(static_cast<int64_t>(dst.size()) == net_height * net_width * kChannels);
  scratch.resize(static_cast<size_t>(g.resized_height * g.resized_width * kChannels));
  resize_bilinear_u8(scratch, g.resized_height, g.resized_width, src);

  const float pad = static_cast<float>(pad_value) / 255.0f;
  const int64_t length = g.resized_width * kChannels;
  const int64_t left = g.left * kChannels;
  for (int64_t y = 0; y < net_height; ++y) {
    float* row = dst.data() + y * net_width * kChannels;
    float* const row_end = row + net_width * kChannels;
    const int64_t inside = y - g.top;
    if (inside < 0 || inside >= g.resized_height) {
      std::fill(row, row_end, pad);
      continue;
    }
    std::fill(row, row + left, pad);
    normalize(row + left, scratch.data() + inside * length, length);
    std::fill(row + left + length, row_end, pad);
  }
  return {};
}

}  // namespace yolocu
