#include "engine/postprocess/decode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>

namespace yolocu {
namespace {

// e^x to 3e-7 relative; |x| beyond 87 counts as 87, NaN stays NaN. Unlike std::exp, loops over it
// become SIMD code, several times faster. Only integers are compared: a comparison of floats may
// raise a flag of the floating-point unit, for which the compiler leaves the loop scalar.
// Method: x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 6 (remainder at
// most 1.2e-7), 2^n by exponent bits.
inline float exp_approx(float x) {
  constexpr auto kLimit = std::bit_cast<int32_t>(87.0f);
  constexpr int32_t kInfinity = 0x7F800000;
  const auto bits = std::bit_cast<int32_t>(x);
  const int32_t magnitude = bits & 0x7FFFFFFF;
  const int32_t limited = magnitude < kLimit ? magnitude : kLimit;
  const auto y = std::bit_cast<float>(limited | (bits & ~0x7FFFFFFF));
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = y * 1.44269504f + kRounder;
  const float n = shifted - kRounder;
  // ln 2 in two parts: n times the first, which has 9 bits, is exact.
  const float r = (y - n * 0.693359375f) - n * -2.12194440e-4f;
  float series = 1.0f / 720;
  series = series * r + 1.0f / 120;
  series = series * r + 1.0f / 24;
  series = series * r + 1.0f / 6;
  series = series * r + 0.5f;
  series = series * r + 1.0f;
  series = series * r + 1.0f;
  const int32_t power = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRounder);
  const float result = series * std::bit_cast<float>((power + 127) << 23);
  const int32_t nan_mask = magnitude > kInfinity ? -1 : 0;  // all bits set is a NaN
  return std::bit_cast<float>(std::bit_cast<int32_t>(result) | nan_mask);
}

// out[i] = 1 / (1 + e^-logits[i])
void sigmoid(float* out, const float* logits, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = 1.0f / (1.0f + exp_approx(-logits[i]));
}

// sum_j j * softmax(logits)_j; the maximum is subtracted so that no exponential overflows.
float expected_bin(const float* logits, int64_t bins) {
  constexpr int64_t kChunk = 16;  // the bins of every published head; more bins take more turns
  float largest = logits[0];
  for (int64_t j = 1; j < bins; ++j) largest = std::max(largest, logits[j]);
  float sum = 0.0f;
  float weighted = 0.0f;
  for (int64_t begin = 0; begin < bins; begin += kChunk) {
    const int64_t count = std::min(kChunk, bins - begin);
    std::array<float, kChunk> part;
    float* const values = part.data();
    for (int64_t j = 0; j < count; ++j) values[j] = exp_approx(logits[begin + j] - largest);
    for (int64_t j = 0; j < count; ++j) {
      sum += values[j];
      weighted += static_cast<float>(begin + j) * values[j];
    }
  }
  return weighted / sum;
}

// row[0..3] = cx cy w h in input pixels, from the four sides' bins at anchor point (x, y), which
// is in cells. In the order of operations of the official dist2bbox, so that roundings agree.
void decode_dfl_box(float* row, const float* logits, int64_t bins, float x, float y, float stride) {
  const float x1 = x - expected_bin(logits, bins);
  const float y1 = y - expected_bin(logits + bins, bins);
  const float x2 = x + expected_bin(logits + 2 * bins, bins);
  const float y2 = y + expected_bin(logits + 3 * bins, bins);
  row[0] = (x1 + x2) / 2 * stride;
  row[1] = (y1 + y2) / 2 * stride;
  row[2] = (x2 - x1) * stride;
  row[3] = (y2 - y1) * stride;
}

// One level of one picture; returns the end of the rows written.
float* decode_dfl_level(float* row, const DecodeDflOp& op, float stride, const HeadView& box,
                        const HeadView& classes, int64_t image) {
  const float* box_pixel = box.data + image * box.image_stride;
  const float* class_pixel = classes.data + image * classes.image_stride;
  for (int64_t y = 0; y < box.height; ++y) {
    for (int64_t x = 0; x < box.width; ++x) {
      decode_dfl_box(row, box_pixel, op.bins, static_cast<float>(x) + 0.5f,
                     static_cast<float>(y) + 0.5f, stride);
      sigmoid(row + 4, class_pixel, op.classes);
      row += 4 + op.classes;
      box_pixel += box.pixel_stride;
      class_pixel += classes.pixel_stride;
    }
  }
  return row;
}

// One anchor shape of one level of one picture; returns the end of the rows written.
float* decode_anchor_shape(float* row, const DecodeAnchorOp& op, size_t level, size_t anchor,
                           const HeadView& head, int64_t image) {
  const int64_t length = 5 + op.classes;
  const float stride = op.strides[level];
  const float anchor_width = op.anchors[level][2 * anchor];
  const float anchor_height = op.anchors[level][2 * anchor + 1];
  const float* logits =
      head.data + image * head.image_stride + static_cast<int64_t>(anchor) * length;
  for (int64_t y = 0; y < head.height; ++y) {
    for (int64_t x = 0; x < head.width; ++x) {
      sigmoid(row, logits, length);
      row[0] = (row[0] * 2 - 0.5f + static_cast<float>(x)) * stride;
      row[1] = (row[1] * 2 - 0.5f + static_cast<float>(y)) * stride;
      row[2] = (row[2] * 2) * (row[2] * 2) * anchor_width;
      row[3] = (row[3] * 2) * (row[3] * 2) * anchor_height;
      row += length;
      logits += head.pixel_stride;
    }
  }
  return row;
}

}  // namespace

void decode_dfl(std::span<float> out, const DecodeDflOp& op, std::span<const HeadView> heads,
                int64_t batch) {
  assert(heads.size() == 2 * op.strides.size());
  float* row = out.data();
  for (int64_t image = 0; image < batch; ++image) {
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const HeadView& box = heads[2 * level];
      const HeadView& classes = heads[2 * level + 1];
      assert(box.channels == 4 * op.bins && classes.channels == op.classes);
      assert(box.height == classes.height && box.width == classes.width);
      row = decode_dfl_level(row, op, op.strides[level], box, classes, image);
    }
  }
  assert(row == out.data() + out.size());
}

void decode_anchor(std::span<float> out, const DecodeAnchorOp& op, std::span<const HeadView> heads,
                   int64_t batch) {
  assert(heads.size() == op.strides.size() && heads.size() == op.anchors.size());
  float* row = out.data();
  for (int64_t image = 0; image < batch; ++image) {
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const size_t anchors = op.anchors[level].size() / 2;
      assert(heads[level].channels == static_cast<int64_t>(anchors) * (5 + op.classes));
      for (size_t anchor = 0; anchor < anchors; ++anchor) {
        row = decode_anchor_shape(row, op, level, anchor, heads[level], image);
      }
    }
  }
  assert(row == out.data() + out.size());
}

}  // namespace yolocu
