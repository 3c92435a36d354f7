// The registers that matrix instructions of one warp work on, held as whole matrices of 32-bit
// numbers, and the arithmetic on them. Plain host code: no threads, no checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace yolocu::emulation {

enum class MatrixElement : uint8_t { kHalf, kBfloat16, kInt8, kE4m3 };

// k of one instruction: 32 bytes of elements.
constexpr uint32_t matrix_depth(MatrixElement element) {
  return element == MatrixElement::kHalf || element == MatrixElement::kBfloat16 ? 16 : 32;
}
constexpr bool is_integer(MatrixElement element) {
  return element == MatrixElement::kInt8;
}

// 32-bit words, 64-byte aligned where a register begins at a multiple of 16. Integers are stored as
// int32_t, all other elements as float.
class MatrixRegisters {
 public:
  void reserve(size_t words) {
    if (lines_.size() * kWordsPerLine < words)
      lines_.resize((words + kWordsPerLine - 1) / kWordsPerLine);
  }
  uint32_t* words(uint32_t first) { return lines_.front().words + first; }

  // For wgmma, which may not meet registers that were accessed since the last wgmma.fence, nor be
  // met by accesses while it is under way. `first` names an object.
  void touch(uint32_t first) { state(first).is_touched = true; }
  bool is_touched(uint32_t first) { return state(first).is_touched; }
  bool is_in_flight(uint32_t first) { return state(first).in_flight != 0; }
  void begin_flight(uint32_t first) { ++state(first).in_flight; }
  void end_flight(uint32_t first) { --state(first).in_flight; }
  void fence() {
    for (LineState& line : states_) line.is_touched = false;
  }
  void forget_states() { states_.clear(); }

 private:
  static constexpr size_t kWordsPerLine = 16;
  struct alignas(64) Line {
    uint32_t words[kWordsPerLine];
  };
  struct LineState {
    bool is_touched = false;
    uint32_t in_flight = 0;
  };
  LineState& state(uint32_t first) {
    if (states_.size() <= first / kWordsPerLine) states_.resize(first / kWordsPerLine + 1);
    return states_[first / kWordsPerLine];
  }

  std::vector<Line> lines_;
  std::vector<LineState> states_;
};

// The value of one element's bits, as a word.
uint32_t widen_element(MatrixElement element, uint32_t bits);

constexpr size_t kTileChunks = 32;  // 16-byte pieces of a tile of 16 rows of 32 bytes

// Widens chunk i, 16 bytes of 8 or 16 elements, to the words from words + offsets[i] on.
void widen_tile(MatrixElement element, uint32_t* words, const uint32_t* offsets,
                const std::byte* const* chunks);

// rows and columns are multiples of 8, columns at most 256; depth 16 or 32.
struct ProductShape {
  uint32_t rows, columns, depth;
};

// c [rows, columns] += a [rows, depth] * b [columns, depth]. Floats are summed in order of k; int32
// wraps.
void multiply_matrices(MatrixElement element, uint32_t* c, const uint32_t* a, const uint32_t* b,
                       const ProductShape& shape);

}  // namespace yolocu::emulation
