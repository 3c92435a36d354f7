// Boxes and labels onto pictures.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "apps/image_io.h"
#include "yolocu/detector.h"

namespace yolocu {

struct Rgb {
  uint8_t red = 0, green = 0, blue = 0;
  friend bool operator==(const Rgb&, const Rgb&) = default;
};

// The colour of a class: neighbours in the list of classes differ clearly.
Rgb class_colour(int64_t class_id);

// Line width of boxes on a picture, in pixels: grows with the picture, so that it can be seen when
// the picture is shown on a screen.
int64_t line_width(int64_t image_width, int64_t image_height);

// Draws every box, better scores over worse ones, then every label ("name 0.87"): above its box if
// that hides no other label or box, else below or inside. Everything is clipped to the picture.
// Boxes may be in any order, outside the picture or not finite; a class without a name shows its
// number.
void draw_detections(Image& image, std::span<const Detection> detections,
                     std::span<const std::string> class_names);

}  // namespace yolocu
