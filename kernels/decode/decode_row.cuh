// One anchor of one picture, held by a warp: where its logits are, and its box. Formulas: decode.h.
#pragma once

#include <type_traits>

#include "kernels/decode/decode_arguments.cuh"
#include "kernels/device/scalar.h"
#include "kernels/device/threads.h"
#include "kernels/device/warp.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

template <typename T>
YOLOCU_DEVICE float load_number(device::GlobalPtr<const T> numbers, int64_t index) {
  const T value = numbers.load(index);
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return device::to_float(value);
  }
}

YOLOCU_DEVICE float sigmoid(float logit) {
  return device::fast_reciprocal(1.0f + device::fast_exp(-logit));
}

// In pixels of the network input.
struct CentreBox {
  float cx, cy, w, h;
};

YOLOCU_DEVICE CandidateBox corners_of(const CentreBox& box) {
  return {box.cx - box.w / 2, box.cy - box.h / 2, box.cx + box.w / 2, box.cy + box.h / 2};
}

// An anchor's cell, and its logits.
template <typename T>
struct DflRow {
  static constexpr bool kHasObjectness = false;
  device::GlobalPtr<const T> box;      // [4, bins]
  device::GlobalPtr<const T> classes;  // [classes]
  int32_t bins;
  float x, y, stride;

  YOLOCU_DEVICE float class_logit(int c) const { return load_number(classes, c); }
};

template <typename T>
struct AnchorRow {
  static constexpr bool kHasObjectness = true;
  device::GlobalPtr<const T> logits;  // [5 + classes]
  float x, y, stride, width, height;

  YOLOCU_DEVICE float objectness_logit() const { return load_number(logits, 4); }
  YOLOCU_DEVICE float class_logit(int c) const { return load_number(logits, 5 + c); }
};

// Lanes that share a side of the box: 16 bins make two for each.
constexpr uint32_t kSideLanes = 8;

// sum_j j * softmax(logits)_j, in all lanes of a side. logits [bins] of the lane's own side. The
// maximum is subtracted so that no exponential overflows; a NaN comes through it.
template <typename T>
YOLOCU_DEVICE float expected_bin(device::GlobalPtr<const T> logits, int bins) {
  const auto first = static_cast<int>(device::lane() % kSideLanes);
  float largest = device::float_of_bits(0xFF800000u);  // -infinity
  for (int j = first; j < bins; j += kSideLanes) {
    const float logit = load_number(logits, j);
    largest = largest < logit ? logit : largest;
  }
  YOLOCU_UNROLL
  for (uint32_t distance = kSideLanes / 2; distance > 0; distance /= 2) {
    const float other = device::shuffle_xor(largest, distance);
    largest = largest < other ? other : largest;
  }
  float sum = 0.0f, weighted = 0.0f;
  for (int j = first; j < bins; j += kSideLanes) {
    const float weight = device::fast_exp(load_number(logits, j) - largest);
    sum += weight;
    weighted += static_cast<float>(j) * weight;
  }
  YOLOCU_UNROLL
  for (uint32_t distance = kSideLanes / 2; distance > 0; distance /= 2) {
    sum += device::shuffle_xor(sum, distance);
    weighted += device::shuffle_xor(weighted, distance);
  }
  return weighted / sum;
}

// The box, in all lanes. In the order of operations of the official dist2bbox. All 32 lanes.
template <typename T>
YOLOCU_DEVICE CentreBox box_of(const DflRow<T>& row) {
  const auto side = static_cast<int64_t>(device::lane() / kSideLanes);
  const float distance = expected_bin(row.box + side * row.bins, row.bins);
  const float x1 = row.x - device::shuffle(distance, 0);
  const float y1 = row.y - device::shuffle(distance, kSideLanes);
  const float x2 = row.x + device::shuffle(distance, 2 * kSideLanes);
  const float y2 = row.y + device::shuffle(distance, 3 * kSideLanes);
  return {device::multiply_rounded((x1 + x2) / 2, row.stride),
          device::multiply_rounded((y1 + y2) / 2, row.stride),
          device::multiply_rounded(x2 - x1, row.stride),
          device::multiply_rounded(y2 - y1, row.stride)};
}

template <typename T>
YOLOCU_DEVICE CentreBox box_of(const AnchorRow<T>& row) {
  const float x = sigmoid(load_number(row.logits, 0)) * 2 - 0.5f;
  const float y = sigmoid(load_number(row.logits, 1)) * 2 - 0.5f;
  const float w = sigmoid(load_number(row.logits, 2)) * 2;
  const float h = sigmoid(load_number(row.logits, 3)) * 2;
  return {device::multiply_rounded(x + row.x, row.stride),
          device::multiply_rounded(y + row.y, row.stride),
          device::multiply_rounded(device::multiply_rounded(w, w), row.width),
          device::multiply_rounded(device::multiply_rounded(h, h), row.height)};
}

// Anchor `number` of a picture.
template <DecodeHead kHead, typename T>
YOLOCU_DEVICE auto row_of(const DecodeArguments<T>& arguments, int64_t picture, int number) {
  int level_number = 0;
  while (number >= arguments.levels[level_number].anchors) {
    number -= arguments.levels[level_number++].anchors;
  }
  const DecodeLevelArguments<T>& level = arguments.levels[level_number];
  const int cells = level.height * level.width;
  const int cell = number % cells;
  const int64_t pixel = picture * cells + cell;
  const auto x = static_cast<float>(cell % level.width);
  const auto y = static_cast<float>(cell / level.width);
  if constexpr (kHead == DecodeHead::kDfl) {
    return DflRow<T>{level.box + pixel * level.box_pixel_stride,
                     level.classes + pixel * level.class_pixel_stride,
                     arguments.bins,
                     x + 0.5f,
                     y + 0.5f,
                     level.stride};
  } else {
    const int anchor = number / cells;
    return AnchorRow<T>{
        level.box + pixel * level.box_pixel_stride + int64_t{anchor} * (5 + arguments.classes),
        x,
        y,
        level.stride,
        level.sizes[2 * anchor],
        level.sizes[2 * anchor + 1]};
  }
}

// This warp's number in the grid, and how many there are.
struct WarpOfGrid {
  int64_t number, count;
};

YOLOCU_DEVICE WarpOfGrid warp_of_grid() {
  const int64_t warps = device::thread_count() / device::kWarpSize;
  return {device::block_index().x * warps + device::warp_rank(), device::grid_extent().x * warps};
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
