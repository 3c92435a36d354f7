#include "apps/stroke_font.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace yolocu {
namespace {

constexpr float kLetterGap = 9;
constexpr float kSpaceWidth = 5;
constexpr int kCurvePieces = 6;  // straight pieces a curve; smooth up to capitals of 100 pixels

// One path a character from ' ' to '~': "M x y" lifts the pen, "L x y" draws a line and
// "Q x y x y" a quadratic Bezier curve with one control point.
constexpr std::array<const char*, 95> kGlyphs = {
    "",                                                                                    // space
    "M0 0 L0 18 M0 27 L0 27",                                                              // !
    "M0 0 L0 7 M6 0 L6 7",                                                                 // "
    "M6 4 L3 26 M14 4 L11 26 M0 11 L17 11 M0 19 L16 19",                                   // #
    "M14 8 Q12 4 7 4 Q1 4 1 9 Q1 13 7 14 Q15 15 15 20 Q15 24 7 24 Q2 24 0 20 M8 0 L8 28",  // $
    "M16 0 L2 28 M4 0 Q8 0 8 5 Q8 10 4 10 Q0 10 0 5 Q0 0 4 0 M14 18 Q18 18 18 23 "
    "Q18 28 14 28 Q10 28 10 23 Q10 18 14 18",  // %
    "M18 28 L5 10 Q2 6 3 3 Q5 0 8 0 Q12 0 12 5 Q12 9 6 13 Q0 17 0 21 Q0 28 7 28 "
    "Q14 28 17 15",                                                              // &
    "M0 0 L0 7",                                                                 // '
    "M5 0 Q0 6 0 16 Q0 26 5 32",                                                 // (
    "M0 0 Q5 6 5 16 Q5 26 0 32",                                                 // )
    "M6 2 L6 14 M1 5 L11 11 M11 5 L1 11",                                        // *
    "M8 8 L8 24 M0 16 L16 16",                                                   // +
    "M2 27 L0 33",                                                               // ,
    "M0 17 L9 17",                                                               // -
    "M0 27 L0 27",                                                               // .
    "M0 31 L11 0",                                                               // /
    "M8 0 Q16 0 16 14 Q16 28 8 28 Q0 28 0 14 Q0 0 8 0",                          // 0
    "M3 6 L10 0 L10 28",                                                         // 1
    "M1 7 Q2 0 8 0 Q15 0 15 8 Q15 13 9 19 L0 28 L16 28",                         // 2
    "M1 5 Q3 0 8 0 Q15 0 15 7 Q15 13 7 13 Q16 13 16 20 Q16 28 8 28 Q2 28 0 23",  // 3
    "M12 28 L12 0 L0 20 L16 20",                                                 // 4
    "M14 0 L3 0 L1 13 Q4 10 8 10 Q16 10 16 19 Q16 28 8 28 Q2 28 0 24",           // 5
    "M14 3 Q12 0 9 0 Q0 0 0 16 Q0 28 8 28 Q16 28 16 19 Q16 10 8 10 Q0 10 0 19",  // 6
    "M0 0 L16 0 L6 28",                                                          // 7
    "M8 0 Q15 0 15 7 Q15 13 8 13 Q1 13 1 7 Q1 0 8 0 M8 13 Q16 13 16 20 Q16 28 8 28 "
    "Q0 28 0 20 Q0 13 8 13",                                                    // 8
    "M2 25 Q4 28 7 28 Q16 28 16 12 Q16 0 8 0 Q0 0 0 9 Q0 18 8 18 Q16 18 16 9",  // 9
    "M0 11 L0 11 M0 27 L0 27",                                                  // :
    "M2 11 L2 11 M2 27 L0 33",                                                  // ;
    "M14 7 L0 16 L14 25",                                                       // <
    "M0 12 L15 12 M0 20 L15 20",                                                // =
    "M0 7 L14 16 L0 25",                                                        // >
    "M0 6 Q2 0 7 0 Q14 0 14 7 Q14 12 9 15 Q7 16 7 20 M7 27 L7 27",              // ?
    "M18 25 Q15 28 11 28 Q0 28 0 15 Q0 2 11 2 Q22 2 22 13 Q22 20 18 20 Q15 20 15 16 L15 9 "
    "M15 15 Q15 9 11 9 Q6 9 6 15 Q6 20 11 20 Q15 20 15 15",                         // @
    "M0 28 L9 0 L18 28 M3 19 L15 19",                                               // A
    "M0 14 L9 14 Q17 14 17 21 Q17 28 9 28 L0 28 L0 0 L8 0 Q15 0 15 7 Q15 14 8 14",  // B
    "M18 6 Q15 0 10 0 Q0 0 0 14 Q0 28 10 28 Q15 28 18 22",                          // C
    "M0 0 L0 28 L7 28 Q18 28 18 14 Q18 0 7 0 L0 0",                                 // D
    "M15 0 L0 0 L0 28 L15 28 M0 14 L12 14",                                         // E
    "M15 0 L0 0 L0 28 M0 14 L12 14",                                                // F
    "M18 6 Q15 0 10 0 Q0 0 0 14 Q0 28 10 28 Q18 28 18 20 L18 15 L11 15",            // G
    "M0 0 L0 28 M17 0 L17 28 M0 14 L17 14",                                         // H
    "M0 0 L0 28",                                                                   // I
    "M11 0 L11 20 Q11 28 5 28 Q1 28 0 24",                                          // J
    "M0 0 L0 28 M16 0 L0 17 M6 11 L17 28",                                          // K
    "M0 0 L0 28 L14 28",                                                            // L
    "M0 28 L0 0 L11 18 L22 0 L22 28",                                               // M
    "M0 28 L0 0 L17 28 L17 0",                                                      // N
    "M10 0 Q20 0 20 14 Q20 28 10 28 Q0 28 0 14 Q0 0 10 0",                          // O
    "M0 28 L0 0 L9 0 Q17 0 17 8 Q17 16 9 16 L0 16",                                 // P
    "M10 0 Q20 0 20 14 Q20 28 10 28 Q0 28 0 14 Q0 0 10 0 M13 21 L20 30",            // Q
    "M0 28 L0 0 L9 0 Q17 0 17 8 Q17 16 9 16 L0 16 M9 16 L17 28",                    // R
    "M16 5 Q14 0 8 0 Q1 0 1 7 Q1 12 8 14 Q17 16 17 21 Q17 28 8 28 Q2 28 0 23",      // S
    "M0 0 L18 0 M9 0 L9 28",                                                        // T
    "M0 0 L0 18 Q0 28 9 28 Q18 28 18 18 L18 0",                                     // U
    "M0 0 L9 28 L18 0",                                                             // V
    "M0 0 L6 28 L13 4 L20 28 L26 0",                                                // W
    "M0 0 L17 28 M17 0 L0 28",                                                      // X
    "M0 0 L9 14 L18 0 M9 14 L9 28",                                                 // Y
    "M0 0 L17 0 L0 28 L17 28",                                                      // Z
    "M5 0 L0 0 L0 32 L5 32",                                                        // [
    "M0 0 L11 31",                                                                  // backslash
    "M0 0 L5 0 L5 32 L0 32",                                                        // ]
    "M0 9 L6 0 L12 9",                                                              // ^
    "M0 31 L13 31",                                                                 // _
    "M0 0 L4 5",                                                                    // `
    "M14 8 L14 28 M14 18 Q14 8 7 8 Q0 8 0 18 Q0 28 7 28 Q14 28 14 18",              // a
    "M0 0 L0 28 M0 18 Q0 8 7 8 Q14 8 14 18 Q14 28 7 28 Q0 28 0 18",                 // b
    "M13 12 Q11 8 7 8 Q0 8 0 18 Q0 28 7 28 Q11 28 13 24",                           // c
    "M14 0 L14 28 M14 18 Q14 8 7 8 Q0 8 0 18 Q0 28 7 28 Q14 28 14 18",              // d
    "M0 18 L14 18 Q14 8 7 8 Q0 8 0 18 Q0 28 7 28 Q11 28 13 24",                     // e
    "M9 0 Q4 0 4 6 L4 28 M0 9 L9 9",                                                // f
    "M14 8 L14 29 Q14 36 7 36 Q3 36 1 33 M14 18 Q14 8 7 8 Q0 8 0 18 Q0 28 7 28 "
    "Q14 28 14 18",                                                                       // g
    "M0 0 L0 28 M0 16 Q1 8 7 8 Q13 8 13 15 L13 28",                                       // h
    "M0 8 L0 28 M0 1 L0 1",                                                               // i
    "M4 8 L4 31 Q4 36 0 36 M4 1 L4 1",                                                    // j
    "M0 0 L0 28 M12 8 L0 20 M4 16 L13 28",                                                // k
    "M0 0 L0 24 Q0 28 4 28",                                                              // l
    "M0 8 L0 28 M0 15 Q1 8 6 8 Q11 8 11 14 L11 28 M11 15 Q12 8 17 8 Q22 8 22 14 L22 28",  // m
    "M0 8 L0 28 M0 16 Q1 8 7 8 Q13 8 13 15 L13 28",                                       // n
    "M7 8 Q14 8 14 18 Q14 28 7 28 Q0 28 0 18 Q0 8 7 8",                                   // o
    "M0 8 L0 36 M0 18 Q0 8 7 8 Q14 8 14 18 Q14 28 7 28 Q0 28 0 18",                       // p
    "M14 8 L14 36 M14 18 Q14 8 7 8 Q0 8 0 18 Q0 28 7 28 Q14 28 14 18",                    // q
    "M0 8 L0 28 M0 17 Q1 8 8 8",                                                          // r
    "M12 11 Q10 8 6 8 Q0 8 0 13 Q0 17 6 18 Q13 19 13 23 Q13 28 6 28 Q2 28 0 25",          // s
    "M4 2 L4 22 Q4 28 10 28 M0 9 L10 9",                                                  // t
    "M0 8 L0 20 Q0 28 6 28 Q12 28 13 20 M13 8 L13 28",                                    // u
    "M0 8 L7 28 L14 8",                                                                   // v
    "M0 8 L5 28 L10 10 L15 28 L20 8",                                                     // w
    "M0 8 L13 28 M13 8 L0 28",                                                            // x
    "M0 8 L7 27 M14 8 L6 31 Q4 36 0 36",                                                  // y
    "M0 8 L13 8 L0 28 L13 28",                                                            // z
    "M7 0 Q3 0 3 5 L3 11 Q3 15 0 16 Q3 17 3 21 L3 27 Q3 32 7 32",                         // {
    "M0 0 L0 32",                                                                         // |
    "M0 0 Q4 0 4 5 L4 11 Q4 15 7 16 Q4 17 4 21 L4 27 Q4 32 0 32",                         // }
    "M0 18 Q4 12 8 16 Q12 20 16 14",                                                      // ~
};

struct Point {
  float x = 0, y = 0;
};

// Follows a glyph's path; every stroke goes to `strokes`, moved right by `offset`.
class Pen {
 public:
  Pen(std::vector<Stroke>& strokes, float offset) : strokes_(strokes), offset_(offset) {}

  void draw(const char* path) {
    while (*path != '\0') {
      const char command = *path++;
      if (command == ' ') continue;
      const Point first = read_point(path);
      if (command == 'M') at_ = first;
      if (command == 'L') line_to(first);
      if (command == 'Q') curve_to(first, read_point(path));
    }
  }

  float width() const { return width_; }

 private:
  static Point read_point(const char*& path) {
    char* end = nullptr;
    const float x = static_cast<float>(std::strtol(path, &end, 10));
    const float y = static_cast<float>(std::strtol(end, &end, 10));
    path = end;
    return {x, y};
  }

  void line_to(Point to) {
    strokes_.push_back({at_.x + offset_, at_.y, to.x + offset_, to.y});
    width_ = std::max({width_, at_.x, to.x});
    at_ = to;
  }

  // (1-t)^2 from + 2 t (1-t) control + t^2 to.
  void curve_to(Point control, Point to) {
    const Point from = at_;
    for (int i = 1; i <= kCurvePieces; ++i) {
      const float t = static_cast<float>(i) / kCurvePieces, s = 1 - t;
      line_to({s * s * from.x + 2 * s * t * control.x + t * t * to.x,
               s * s * from.y + 2 * s * t * control.y + t * t * to.y});
    }
  }

  std::vector<Stroke>& strokes_;
  float offset_;
  float width_ = 0;
  Point at_;
};

}  // namespace

TextStrokes lay_out_text(std::string_view text) {
  TextStrokes result;
  float x = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80) continue;  // the rest of a character already drawn as '?'
    const char shown = byte >= ' ' && byte <= '~' ? c : '?';
    Pen pen(result.strokes, x);
    pen.draw(kGlyphs[static_cast<size_t>(shown - ' ')]);
    const float width = shown == ' ' ? kSpaceWidth : pen.width();
    result.width = x + width;
    x = result.width + kLetterGap;
  }
  return result;
}

}  // namespace yolocu
