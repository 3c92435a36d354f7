#include "apps/draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "apps/stroke_font.h"

namespace yolocu {
namespace {

constexpr int64_t kChannels = 3;
constexpr Rgb kBlack = {0, 0, 0}, kWhite = {255, 255, 255};

// Strong colours that stay apart on a screen and in print, most different first.
constexpr std::array<Rgb, 12> kPalette = {{{235, 45, 58},
                                           {20, 120, 255},
                                           {32, 178, 80},
                                           {255, 140, 0},
                                           {160, 70, 230},
                                           {0, 180, 190},
                                           {240, 60, 160},
                                           {250, 205, 20},
                                           {130, 90, 50},
                                           {120, 200, 40},
                                           {70, 80, 200},
                                           {250, 120, 110}}};

// Pixels [left, right) x [top, bottom).
struct Rectangle {
  int64_t left = 0, top = 0, right = 0, bottom = 0;

  Rectangle grown(int64_t by) const { return {left - by, top - by, right + by, bottom + by}; }
};

Rectangle clipped(const Rectangle& area, const Image& image) {
  return {std::max<int64_t>(area.left, 0), std::max<int64_t>(area.top, 0),
          std::min(area.right, image.width), std::min(area.bottom, image.height)};
}

void fill(Image& image, const Rectangle& area, Rgb colour) {
  const Rectangle inside = clipped(area, image);
  for (int64_t y = inside.top; y < inside.bottom; ++y) {
    uint8_t* pixel = image.pixels.data() + (y * image.width + inside.left) * kChannels;
    for (int64_t x = inside.left; x < inside.right; ++x) {
      *pixel++ = colour.red;
      *pixel++ = colour.green;
      *pixel++ = colour.blue;
    }
  }
}

// The frame between two rectangles, `inner` within `outer`.
void fill_frame(Image& image, const Rectangle& outer, const Rectangle& inner, Rgb colour) {
  if (inner.left >= inner.right || inner.top >= inner.bottom) return fill(image, outer, colour);
  fill(image, {outer.left, outer.top, outer.right, inner.top}, colour);
  fill(image, {outer.left, inner.bottom, outer.right, outer.bottom}, colour);
  fill(image, {outer.left, inner.top, inner.left, inner.bottom}, colour);
  fill(image, {inner.right, inner.top, outer.right, inner.bottom}, colour);
}

float distance_to_stroke(float x, float y, const Stroke& stroke) {
  const float dx = stroke.x1 - stroke.x0, dy = stroke.y1 - stroke.y0;
  const float length_squared = dx * dx + dy * dy;
  const float along = (x - stroke.x0) * dx + (y - stroke.y0) * dy;
  const float t = length_squared > 0 ? std::clamp(along / length_squared, 0.0f, 1.0f) : 0.0f;
  return std::hypot(x - stroke.x0 - t * dx, y - stroke.y0 - t * dy);
}

uint8_t mix(uint8_t below, uint8_t above, float coverage) {
  return static_cast<uint8_t>(
      std::lround(static_cast<float>(below) + coverage * (static_cast<float>(above) - below)));
}

// Text with its first capital's top left corner at (left, top), `scale` pixels a font unit. Drawn
// by distance to the strokes, with edges one pixel soft.
class TextPainter {
 public:
  TextPainter(const TextStrokes& text, float left, float top, float scale)
      : radius_(scale * kPenWidth / 2) {
    for (const Stroke& s : text.strokes) {
      strokes_.push_back(
          {left + s.x0 * scale, top + s.y0 * scale, left + s.x1 * scale, top + s.y1 * scale});
    }
  }

  // How much of each pixel the pen covers is kept apart from the picture: strokes overlap.
  void paint(Image& image, const Rectangle& bounds, Rgb colour) const {
    const Rectangle area = clipped(bounds, image);
    if (area.left >= area.right || area.top >= area.bottom) return;
    const int64_t width = area.right - area.left;
    std::vector<float> coverage(static_cast<size_t>(width * (area.bottom - area.top)));
    for (const Stroke& stroke : strokes_) cover(coverage, area, stroke);
    for (int64_t y = area.top; y < area.bottom; ++y) {
      for (int64_t x = area.left; x < area.right; ++x) {
        const float c = coverage[static_cast<size_t>((y - area.top) * width + x - area.left)];
        uint8_t* pixel = image.pixels.data() + (y * image.width + x) * kChannels;
        pixel[0] = mix(pixel[0], colour.red, c);
        pixel[1] = mix(pixel[1], colour.green, c);
        pixel[2] = mix(pixel[2], colour.blue, c);
      }
    }
  }

 private:
  void cover(std::vector<float>& coverage, const Rectangle& area, const Stroke& stroke) const {
    const float reach = radius_ + 1;
    const auto low = [&](float a, float b) {
      return static_cast<int64_t>(std::floor(std::min(a, b) - reach));
    };
    const auto high = [&](float a, float b) {
      return static_cast<int64_t>(std::ceil(std::max(a, b) + reach));
    };
    const int64_t right = std::min(high(stroke.x0, stroke.x1), area.right);
    const int64_t bottom = std::min(high(stroke.y0, stroke.y1), area.bottom);
    for (int64_t y = std::max(low(stroke.y0, stroke.y1), area.top); y < bottom; ++y) {
      for (int64_t x = std::max(low(stroke.x0, stroke.x1), area.left); x < right; ++x) {
        const float distance =
            distance_to_stroke(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f, stroke);
        const size_t at =
            static_cast<size_t>((y - area.top) * (area.right - area.left) + x - area.left);
        coverage[at] = std::max(coverage[at], std::clamp(radius_ + 0.5f - distance, 0.0f, 1.0f));
      }
    }
  }

  std::vector<Stroke> strokes_;  // in pixels
  float radius_;
};

// Square root of the area: what "size of the picture" means for lines and letters.
double image_scale(int64_t width, int64_t height) {
  return std::sqrt(static_cast<double>(width) * static_cast<double>(height));
}

// Height of a capital letter in pixels; 7 is the least that can be read.
float capital_pixels(const Image& image) {
  return static_cast<float>(
      std::max(7.0, std::round(3 + 0.011 * image_scale(image.width, image.height))));
}

// A coordinate as a whole pixel within [0, limit]; NaN becomes 0.
int64_t to_pixel(float value, int64_t limit) {
  if (!(value > 0)) return 0;
  return value < static_cast<float>(limit) ? std::lround(value) : limit;
}

// The outer edge of a box's line, which lies half outside the box.
Rectangle outline(const Detection& d, const Image& image) {
  const Rectangle box = {to_pixel(d.x1, image.width), to_pixel(d.y1, image.height),
                         to_pixel(d.x2, image.width), to_pixel(d.y2, image.height)};
  return box.grown(line_width(image.width, image.height) / 2);
}

// Black or white, whichever stands out more: relative luminance of ITU-R BT.709.
Rgb text_colour(Rgb background) {
  const double luminance =
      0.2126 * background.red + 0.7152 * background.green + 0.0722 * background.blue;
  return luminance > 145 ? kBlack : kWhite;
}

std::string label_text(const Detection& d, std::span<const std::string> class_names) {
  const bool named = d.class_id >= 0 && d.class_id < static_cast<int64_t>(class_names.size());
  char score[16];
  std::snprintf(score, sizeof score, " %.2f", static_cast<double>(d.score));
  return (named ? class_names[static_cast<size_t>(d.class_id)] : std::to_string(d.class_id)) +
         score;
}

// Part of `hidden` that lies under `cover`, 0..1.
double hidden_part(const Rectangle& hidden, const Rectangle& cover) {
  const int64_t width = std::min(hidden.right, cover.right) - std::max(hidden.left, cover.left);
  const int64_t height = std::min(hidden.bottom, cover.bottom) - std::max(hidden.top, cover.top);
  if (width <= 0 || height <= 0) return 0;
  const int64_t whole = (hidden.right - hidden.left) * (hidden.bottom - hidden.top);
  return static_cast<double>(width * height) / static_cast<double>(whole);
}

// Places for a label of width x height at a box, best first, each within the picture if it fits.
std::vector<Rectangle> label_places(const Image& image, const Rectangle& box, int64_t width,
                                    int64_t height) {
  const auto place = [&](int64_t left, int64_t top) {
    left = std::max<int64_t>(std::min(left, image.width - width), 0);
    top = std::max<int64_t>(std::min(top, image.height - height), 0);
    return Rectangle{left, top, left + width, top + height};
  };
  const Rectangle inside = place(box.left, box.top);
  const Rectangle below = place(box.left, box.bottom),
                  below_right = place(box.right - width, box.bottom);
  if (box.top < height) return {inside, below, below_right};
  return {place(box.left, box.top - height), place(box.right - width, box.top - height), below,
          below_right, inside};
}

// The place that hides least of the labels so far and of all boxes but the label's own; an earlier
// one if it is nearly as good.
Rectangle choose_place(std::span<const Rectangle> places, std::span<const Rectangle> labels,
                       std::span<const Rectangle> boxes, const Rectangle& own_box) {
  constexpr double kLabelWeight = 4;    // a hidden label cannot be read, a box is still a box
  constexpr double kLaterPlace = 0.05;  // so much of a box may be hidden to keep the usual place
  Rectangle best = places[0];
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < places.size(); ++i) {
    double cost = kLaterPlace * static_cast<double>(i) - hidden_part(own_box, places[i]);
    for (const Rectangle& label : labels) cost += kLabelWeight * hidden_part(label, places[i]);
    for (const Rectangle& box : boxes) cost += hidden_part(box, places[i]);
    if (cost >= least) continue;
    least = cost;
    best = places[i];
  }
  return best;
}

// Draws labels one after the other and remembers where they are.
class LabelPainter {
 public:
  LabelPainter(Image& image, std::vector<Rectangle> boxes)
      : image_(image),
        boxes_(std::move(boxes)),
        capital_(capital_pixels(image)),
        margin_(std::round(capital_ * 0.45f)) {}  // holds what reaches below the baseline

  // `box` is the label's own, one of the boxes.
  void draw(const std::string& label, const Rectangle& box, Rgb colour) {
    const float scale = capital_ / kCapHeight;
    const TextStrokes text = lay_out_text(label);
    const auto width = static_cast<int64_t>(std::ceil(text.width * scale + 2 * margin_));
    const auto height = static_cast<int64_t>(std::ceil(capital_ + 2 * margin_));
    const Rectangle area =
        choose_place(label_places(image_, box, width, height), labels_, boxes_, box);
    labels_.push_back(area);
    fill(image_, area, colour);
    TextPainter(text, static_cast<float>(area.left) + margin_,
                static_cast<float>(area.top) + margin_, scale)
        .paint(image_, area, text_colour(colour));
  }

 private:
  Image& image_;
  std::vector<Rectangle> boxes_;
  std::vector<Rectangle> labels_;
  float capital_, margin_;
};

}  // namespace

Rgb class_colour(int64_t class_id) {
  return kPalette[static_cast<uint64_t>(class_id) % kPalette.size()];
}

int64_t line_width(int64_t image_width, int64_t image_height) {
  return std::lround(1 + image_scale(image_width, image_height) / 500);
}

void draw_detections(Image& image, std::span<const Detection> detections,
                     std::span<const std::string> class_names) {
  std::vector<Detection> order(detections.begin(), detections.end());
  // NaN scores rank as zero: the order must stay a strict one.
  const auto rank = [](const Detection& d) { return d.score > 0 ? d.score : 0.0f; };
  std::stable_sort(order.begin(), order.end(),
                   [&](const Detection& a, const Detection& b) { return rank(a) > rank(b); });
  std::vector<Rectangle> boxes;
  for (const Detection& d : order) boxes.push_back(outline(d, image));
  const int64_t width = line_width(image.width, image.height);
  for (size_t i = order.size(); i-- > 0;) {
    fill_frame(image, boxes[i], boxes[i].grown(-width), class_colour(order[i].class_id));
  }
  LabelPainter labels(image, boxes);
  for (size_t i = 0; i < order.size(); ++i) {
    labels.draw(label_text(order[i], class_names), boxes[i], class_colour(order[i].class_id));
  }
}

}  // namespace yolocu
