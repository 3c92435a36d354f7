// Message building: str_cat("expected ", 3, ", got ", n).
#pragma once

#include <cstdint>
#include <span>
#include <sstream>
#include <string>

namespace yolocu {

template <typename... Parts>
std::string str_cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return std::move(out).str();
}

// "[64,3,3,32]"
inline std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace yolocu
