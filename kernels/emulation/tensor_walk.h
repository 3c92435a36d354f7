// Which bytes one TMA access moves between which places. Pure: it reads and writes no memory and
// knows no block or thread.
//
// A box is rows of contiguous elements of dimension 0. In shared memory row i begins i pitches
// after the access's address; under a swizzle the pitch is the swizzle's span even where the row is
// shorter, and the swizzle acts on absolute addresses.
// Source: PTX ISA 9.0, 5.5; CUDA C++ Programming Guide, TMA swizzle.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/emulation/swizzle.h"
#include "kernels/tensor_map_spec.h"

namespace yolocu::emulation {

// What an instruction asks for. It owns nothing, and stays valid after the issuing thread's end.
struct BoxAccess {
  TensorMapSpec map;  // passes check_tensor_map
  uint32_t shared_address = 0;
  std::array<int32_t, kMapMaxRank> at = {};        // [rank], innermost first
  std::array<int32_t, kMapMaxRank - 2> taps = {};  // kIm2col: [rank - 2], W first
};

enum class BoxDirection : uint8_t { kLoad, kStore };

// The form of the instruction, to be compared with the map.
struct BoxInstruction {
  MapMode mode;
  BoxDirection direction;
  int rank;
};

// The rule that the access breaks, with its values; empty if none:
//   mode and rank are the map's; there is no im2col store here
//   shared_address is a multiple of pattern_bytes (hardware takes 128; what starts off the pattern
//     cannot be named by a wgmma descriptor)
//   at[0] is a multiple of 16 bytes (whether the hardware needs it is not known)
//   kStore: no coordinate is negative
//   kIm2col: the first base pixel lies in the box; taps in 0..65535 (rank 3), 0..255 (4), 0..31 (5)
std::string box_access_error(const BoxAccess& access, const BoxInstruction& instruction);

// All in bytes but rows.
struct BoxShape {
  int64_t rows, row_bytes, pitch_bytes;

  // Counted by the mbarrier: elements outside the tensor count, gaps between short rows do not.
  int64_t moved_bytes() const { return rows * row_bytes; }
  // From shared_address on; a swizzle may put the chunks of a short row anywhere in its span.
  int64_t footprint_bytes() const { return rows * pitch_bytes; }
};
BoxShape box_shape(const TensorMapSpec& map);

// A row of the box. Bytes [first_valid, first_valid + valid_bytes) exist in the tensor, from
// `global` on; those before and after lie outside: fill on loads, dropped on stores.
struct BoxRow {
  uint32_t shared_address;  // of its first byte, before the swizzle
  std::byte* global;        // null if valid_bytes is 0
  uint32_t first_valid, valid_bytes;
};

// 16 bytes of a row, with the same members; shared_address is the physical one.
struct BoxChunk {
  uint32_t shared_address;
  std::byte* global;
  uint32_t first_valid, valid_bytes;
};
constexpr uint32_t kBoxChunkBytes = 16;

// The rows of an access in order: dimension 1 runs fastest.
class BoxWalk {
 public:
  explicit BoxWalk(const BoxAccess& access);

  bool done() const { return row_ == shape_.rows; }
  BoxRow row() const;
  void advance();

 private:
  void advance_tiled();
  void advance_im2col();
  int64_t tap(int dimension) const;

  const BoxAccess& access_;
  BoxShape shape_;
  int64_t row_ = 0;
  uint32_t first_valid_ = 0, valid_bytes_ = 0;   // of any row that lies inside
  std::array<int64_t, kMapMaxRank> at_ = {};     // [rank], of the row, without taps
  std::array<int64_t, kMapMaxRank> steps_ = {};  // [rank], kTiled: taken since the box's edge
};

// function(const BoxRow&) for each row.
template <typename Function>
void for_each_row(const BoxAccess& access, Function&& function) {
  for (BoxWalk walk(access); !walk.done(); walk.advance()) function(walk.row());
}

// The chunk at `byte`, a multiple of 16, of a row.
inline BoxChunk chunk_of(const BoxRow& row, uint32_t byte, Swizzle swizzle) {
  const uint32_t valid_end = row.first_valid + row.valid_bytes;
  const uint32_t first = std::clamp(row.first_valid, byte, byte + kBoxChunkBytes);
  const uint32_t end = std::clamp(valid_end, byte, byte + kBoxChunkBytes);
  const uint32_t address = swizzled(row.shared_address + byte, swizzle);
  if (row.valid_bytes == 0 || end <= first) return {address, nullptr, 0, 0};
  return {address, row.global + (first - row.first_valid), first - byte, end - first};
}

// function(const BoxChunk&) for each 16 bytes of each row.
template <typename Function>
void for_each_chunk(const BoxAccess& access, Function&& function) {
  const auto row_bytes = static_cast<uint32_t>(box_shape(access.map).row_bytes);
  for_each_row(access, [&](const BoxRow& row) {
    for (uint32_t byte = 0; byte < row_bytes; byte += kBoxChunkBytes) {
      function(chunk_of(row, byte, access.map.swizzle));
    }
  });
}

}  // namespace yolocu::emulation
