// Letters as strokes of a round pen, for labels of any size without a font file. ASCII only.
#pragma once

#include <string_view>
#include <vector>

namespace yolocu {

// A straight stroke of the pen from (x0, y0) to (x1, y1); a dot has both ends in one point.
struct Stroke {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

// Font units: y grows downwards from the top of a capital, the baseline is at kCapHeight, letters
// reach kDescent below it, and the pen is kPenWidth wide.
constexpr float kCapHeight = 28;
constexpr float kDescent = 8;
constexpr float kPenWidth = 4;

struct TextStrokes {
  std::vector<Stroke> strokes;
  float width = 0;  // from the first to the last letter's side, without the pen's own width
};

// `text` (UTF-8) on one line from x = 0. A character outside printable ASCII becomes '?'.
TextStrokes lay_out_text(std::string_view text);

}  // namespace yolocu
