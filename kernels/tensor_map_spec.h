// What a tensor map (TMA descriptor) describes, and its rules. Host code, no CUDA: the cuda target
// encodes a spec with the driver, the emulated one walks it.
#pragma once

#include <array>
#include <cstdint>

#include "yolocu/status.h"

namespace yolocu {

enum class MapType : uint8_t { kU8, kU32, kI32, kF16, kBF16, kF32 };
enum class MapMode : uint8_t { kTiled, kIm2col };
// Where 16-byte chunks lie in shared memory: address bits [4..] ^= bits [7..], 3, 2 or 1 of them.
enum class Swizzle : uint8_t { kNone, k32B, k64B, k128B };
// What elements outside the tensor arrive as; kNan for float types only.
enum class MapFill : uint8_t { kZero, kNan };
// Byte `byte` of an element outside the tensor. kNan: 0x7FF7 in each 16 bits, a guess: no manual
// says it, and an H100 gave 0xF7 first and no byte 0xFF, in f16, bf16 and f32 alike (driver
// 580.159, 2026-11-26).
constexpr uint8_t map_fill_byte(MapFill fill, int64_t byte) {
  if (fill == MapFill::kZero) return 0;
  return byte % 2 == 0 ? 0xF7 : 0x7F;
}

constexpr int kMapMaxRank = 5;

// Dimension 0 is the innermost, contiguous one (C of NHWC). Lengths are elements, strides bytes.
// Rules (cuda.h 13.0, cuTensorMapEncodeTiled and ...Im2col): address 16-byte aligned; rank 1..5
// (im2col 3..5); sizes 1..2^32; strides multiples of 16 in 16..2^40-16; traversal strides 1..8
// ([0] is ignored); box[0] * size a multiple of 16 bytes and at most the swizzle's span (without
// swizzle: at most 256 elements).
// kTiled: box 1..256 each; with a traversal stride s the box counts traversed coordinates, of which
// ceil(box / s) are loaded.
// kIm2col: box[0] = channels a pixel, 1..256; `pixels` 1..1024; base pixels walk the box
// [lower, size - 1 + upper] of each spatial dimension; corners, W first, in -128..127 for rank 4,
// -32768..32767 for rank 3, -16..15 for rank 5; the box must not be empty. The traversal stride of
// the images must be 1: what another does is written nowhere.
struct TensorMapSpec {
  MapType type = MapType::kF16;
  MapMode mode = MapMode::kTiled;
  Swizzle swizzle = Swizzle::kNone;
  MapFill fill = MapFill::kZero;
  int rank = 0;
  void* address = nullptr;                             // device memory, owned by the caller
  std::array<int64_t, kMapMaxRank> size = {};          // [rank]
  std::array<int64_t, kMapMaxRank> stride_bytes = {};  // [rank]; [0] is ignored
  std::array<int64_t, kMapMaxRank> box = {};           // kTiled: [rank]; kIm2col: [0] only
  std::array<int64_t, kMapMaxRank> traversal = {1, 1, 1, 1, 1};  // [rank]
  int64_t pixels = 0;                                            // kIm2col only, as the corners
  std::array<int64_t, 3> lower = {}, upper = {};                 // W, H, D
};

// Bytes of an element; of the span of a swizzle (16 for kNone).
int64_t map_type_bytes(MapType type);
int64_t swizzle_span_bytes(Swizzle swizzle);

// kInvalidArgument names the field, its rule and its value.
Status check_tensor_map(const TensorMapSpec& spec);

}  // namespace yolocu
