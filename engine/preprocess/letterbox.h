// The official letterbox: a picture of any size onto the network's input.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "yolocu/detector.h"
#include "yolocu/status.h"

namespace yolocu {

// Where a picture of h x w lands in an H x W input. gain = min(H/h, W/w) in double;
// resized = round_half_even(h * gain), (w * gain), at least 1 pixel; top = round(dh - 0.1),
// left = round(dw - 0.1) with dh = (H - resized_height) / 2. Source: letterbox() of the official
// YOLOv7 and YOLOv9 code with auto=False, scaleup=True.
struct LetterboxGeometry {
  int64_t resized_height = 0, resized_width = 0;
  int64_t top = 0, left = 0;
};

// Sizes must be positive. kInvalidArgument for a picture beyond 2^30 pixels or an extent over 2^20.
Result<LetterboxGeometry> letterbox_geometry(int64_t height, int64_t width, int64_t net_height,
                                             int64_t net_width);

// kInvalidArgument for a view without pixels or with row_bytes < 3 * width.
Status check_image(const ImageView& image);

// dst [dst_height, dst_width, 3] u8 = src resized as cv2.resize(INTER_LINEAR) does for 8-bit
// pictures, bit for bit: half-pixel centres, 11-bit fixed-point weights, edge pixels repeated; at
// exactly half size the mean of 2 x 2 pixels. Sizes must be positive and `src` valid.
void resize_bilinear_u8(std::span<uint8_t> dst, int64_t dst_height, int64_t dst_width,
                        const ImageView& src);

// dst [net_height, net_width, 3] f32 = letterboxed src / 255, padding pad_value / 255.
// `scratch` is resized as needed and reused between calls. kInvalidArgument as letterbox_geometry
// and check_image.
Status letterbox(std::span<float> dst, int64_t net_height, int64_t net_width, int pad_value,
                 const ImageView& src, std::vector<uint8_t>& scratch);

}  // namespace yolocu
