// Device code of the letterbox. Formula and arguments: letterbox.h.
#pragma once

#include <cstdint>

#include "kernels/channel_vector.cuh"
#include "kernels/device/memory.h"
#include "kernels/device/numeric.h"
#include "kernels/device/threads.h"
#include "kernels/preprocess/letterbox.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

template <typename T>
struct LetterboxArguments {
  device::GlobalPtr<T> y;  // first channel of the view
  device::GlobalPtr<const LetterboxPicture> pictures;
  int32_t height, width, channels, y_pixel_stride;
  int32_t pad_value;
  ChannelOrder order;
};

// 8-bit channels of one pixel, in the order of the picture.
struct PictureColour {
  int channels[3];
};

// Where one coordinate of the resized picture samples: two neighbours, with integer weights that
// sum to 2048.
struct LetterboxTap {
  int first, next;
  int weight, next_weight;
};

// What OpenCV does with a sample beyond the edge. The pixels read are the same, but kClampRow keeps
// the two weights, and rounding twice can differ by 1 from rounding once.
enum class LetterboxEdge : uint8_t { kClampColumn, kClampRow };

// value >= 0, rounded to nearest, ties to even.
YOLOCU_DEVICE int round_half_even(float value) {
  const auto whole = static_cast<int>(value);
  const float rest = value - static_cast<float>(whole);
  const bool up = rest > 0.5f || (rest == 0.5f && whole % 2 != 0);
  return whole + (up ? 1 : 0);
}

YOLOCU_DEVICE int clamp_coordinate(int value, int extent) {
  return value < 0 ? 0 : (value >= extent ? extent - 1 : value);
}

// Rounded as OpenCV rounds: product and difference in double, then float.
YOLOCU_DEVICE LetterboxTap letterbox_tap(int i, double scale, int extent, LetterboxEdge edge) {
  constexpr float kWeightOne = 2048.0f;
  const double centre = device::multiply_unfused(static_cast<double>(i) + 0.5, scale);
  const auto position = static_cast<float>(centre - 0.5);
  auto first = static_cast<int>(position);
  if (static_cast<float>(first) > position) --first;  // towards minus infinity
  float fraction = position - static_cast<float>(first);
  const bool beyond = first < 0 || first >= extent - 1;
  if (edge == LetterboxEdge::kClampColumn && beyond) fraction = 0.0f;
  return {clamp_coordinate(first, extent), clamp_coordinate(first + 1, extent),
          round_half_even((1.0f - fraction) * kWeightOne), round_half_even(fraction * kWeightOne)};
}

using PictureRow = device::GlobalPtr<const uint8_t>;

YOLOCU_DEVICE int picture_byte(PictureRow row, int x, int channel) {
  return row.load<uint8_t, device::LoadHint::kReadOnly>(x * 3 + channel);
}

// One channel, between two columns of a row, in 1/128 of a grey level.
YOLOCU_DEVICE int blend_columns(PictureRow row, const LetterboxTap& column, int channel) {
  return (picture_byte(row, column.first, channel) * column.weight +
          picture_byte(row, column.next, channel) * column.next_weight) >>
         4;
}

// Between two rows, each product cut off at 1/4 as in OpenCV. At exactly half size all weights are
// 1024 and nothing is cut off: the mean of 2 x 2 pixels, for which OpenCV has code of its own.
YOLOCU_DEVICE PictureColour bilinear_colour(PictureRow upper, PictureRow lower,
                                            const LetterboxTap& column, const LetterboxTap& row) {
  PictureColour colour;
  YOLOCU_UNROLL
  for (int c = 0; c < 3; ++c) {
    const int above = (blend_columns(upper, column, c) * row.weight) >> 16;
    const int below = (blend_columns(lower, column, c) * row.next_weight) >> 16;
    colour.channels[c] = (above + below + 2) >> 2;
  }
  return colour;
}

// Column x and row y of the resized picture.
YOLOCU_DEVICE PictureColour resized_colour(device::GlobalPtr<const LetterboxPicture> picture, int x,
                                           int y) {
  using device::GlobalPtr;
  const LetterboxPicture* record = picture.get();
  const auto bytes = GlobalPtr(&record->bytes).load(0);
  const auto extents = GlobalPtr(&record->extents).load(0);
  const PictureRow pixels(bytes.pixels);
  const auto scales = GlobalPtr(&record->scales).load(0);
  const LetterboxTap column =
      letterbox_tap(x, scales.x, extents.width, LetterboxEdge::kClampColumn);
  const LetterboxTap row = letterbox_tap(y, scales.y, extents.height, LetterboxEdge::kClampRow);
  return bilinear_colour(pixels + row.first * bytes.row_bytes, pixels + row.next * bytes.row_bytes,
                         column, row);
}

// y[channel + i] = rgb[channel + i], 0 from the fourth channel on.
template <int kCount, typename T>
YOLOCU_DEVICE void store_colour(device::GlobalPtr<T> y, int channel, const float (&rgb)[3]) {
  float numbers[kCount];
  YOLOCU_UNROLL
  for (int i = 0; i < kCount; ++i) {
    const int c = channel + i;
    numbers[i] = c == 0 ? rgb[0] : (c == 1 ? rgb[1] : (c == 2 ? rgb[2] : 0.0f));
  }
  store_numbers(y, channel, numbers);
}

// One thread makes one pixel of y. grid (ceil(W / block x), ceil(H / block y), N), no shared
// memory. kCount: elements of one store.
template <typename T, int kCount>
YOLOCU_KERNEL letterbox_kernel(YOLOCU_KERNEL_PARAM LetterboxArguments<T> arguments) {
  const auto index = device::block_index(), block = device::block_extent();
  const auto x = static_cast<int>(index.x * block.x + device::thread_index().x);
  const auto y = static_cast<int>(index.y * block.y + device::thread_index().y);
  if (x >= arguments.width || y >= arguments.height) return;
  const auto picture = arguments.pictures + index.z;
  const auto place = device::GlobalPtr(&picture.get()->place).load(0).pixels;
  const int inner_x = x - place.left, inner_y = y - place.top;
  const int pad = arguments.pad_value;
  PictureColour colour = {{pad, pad, pad}};
  if (inner_x >= 0 && inner_x < place.resized_width && inner_y >= 0 &&
      inner_y < place.resized_height) {
    colour = resized_colour(picture, inner_x, inner_y);
  }
  const bool reversed = arguments.order == ChannelOrder::kBgr;
  const int red = reversed ? colour.channels[2] : colour.channels[0];
  const int blue = reversed ? colour.channels[0] : colour.channels[2];
  // Divided, not multiplied by 1 / 255: values equal the official ones.
  const float rgb[] = {static_cast<float>(red) / 255.0f,
                       static_cast<float>(colour.channels[1]) / 255.0f,
                       static_cast<float>(blue) / 255.0f};
  const int64_t pixel = (int64_t{index.z} * arguments.height + y) * arguments.width + x;
  const auto out = arguments.y + pixel * arguments.y_pixel_stride;
  for (int c = 0; c < arguments.channels; c += kCount) store_colour<kCount>(out, c, rgb);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu
