// The stem: pictures of any size to the network's input, in one kernel.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/dtype.h"
#include "kernels/channel_view.h"
#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu {

// Of the picture's bytes. The output is always R, G, B.
enum class ChannelOrder : uint8_t { kRgb, kBgr };

// y[n,h,w,c] = resized_n[h - top, w - left, c] / 255 within the resized picture, pad_value / 255
// around it, 0 for c >= 3. resized is what cv2.resize(INTER_LINEAR) makes of an 8-bit picture, bit
// for bit: half-pixel centres, 11-bit fixed-point weights, edge pixels repeated; at exactly half
// size the mean of 2 x 2 pixels. The quotient is f32, rounded to `dtype`.
// y [N,H,W,channels]; counts are elements. Source: letterbox() of the official YOLOv7 and YOLOv9
// code, OpenCV's resize.
struct LetterboxProblem {
  DType dtype = DType::kF16;  // kF16, kBF16 or kF32
  int64_t batch = 1, height = 0, width = 0;
  int64_t channels = 3;  // written of y, from 3 on; 4 or 8 suit the loads of the first layer
  ChannelOrder order = ChannelOrder::kRgb;
  int64_t pad_value = 114;  // 0..255
  ChannelView y = {};
  int64_t alignment_bytes = 16;  // of y's first element: a power of two
};

// Where a picture lands in the network's input, in pixels of it.
struct LetterboxPlace {
  int32_t left = 0, top = 0;
  int32_t resized_width = 0, resized_height = 0;
};

// One picture, as the kernel reads it from device memory. Made by letterbox_picture().
struct LetterboxPicture {
  struct alignas(16) Bytes {
    const uint8_t* pixels;  // device memory, [height, width, 3] u8
    int64_t row_bytes;
  };
  struct alignas(16) Extents {
    int32_t width, height, unused[2];
  };
  struct alignas(16) Scales {
    double x, y;  // pixels of the picture for one of the resized
  };
  struct alignas(16) Place {
    LetterboxPlace pixels;
  };
  Bytes bytes;
  Extents extents;
  Scales scales;
  Place place;
};

// The record of a picture at `pixels` in device memory, which is not read here. kInvalidArgument if
// an extent is not in 1..2^20, there are no pixels, row_bytes < 3 * width, or the place is not
// within height x width of the problem. Pure.
Result<LetterboxPicture> letterbox_picture(const uint8_t* pixels, int64_t width, int64_t height,
                                           int64_t row_bytes, const LetterboxPlace& place,
                                           const LetterboxProblem& problem);

// One line of variants.inc. The name reads letterbox_<dtype>_v<vector bytes>.
struct LetterboxVariant {
  std::string_view name;
  DType dtype;
  int64_t vector_bytes;  // of one store; of one element: the variant that others are judged by
};

// The inventory, by growing vectors.
std::span<const LetterboxVariant> letterbox_variants();

// kInvalidArgument: the problem makes no sense (says why). kUnsupported: another dtype; a tensor of
// 2^31 elements or more; a batch over 65535; channels, offset, stride or base that are no multiple
// of the vector.
Status can_implement(const LetterboxVariant& variant, const LetterboxProblem& problem);

// The variant with the widest vectors that can_implement the problem. Pure.
Result<LetterboxVariant> select_letterbox(const LetterboxProblem& problem);

// Enqueues the kernel and returns; `variant` is one of letterbox_variants(). y and `pictures`
// [batch] are device memory, owned by the caller as the pixels are, that stays alive until the
// stream gets there; a captured launch reads the records anew each time. Errors of can_implement;
// kInvalidArgument if a pointer is null or misaligned; of launch(). The function:
// KernelTable::letterbox.
using Letterbox = Status(void* y, const LetterboxPicture* pictures, const LetterboxProblem& problem,
                         const LetterboxVariant& variant, Stream stream);

}  // namespace yolocu
