#include "engine/base/foreign_text.h"

#include <cstddef>
#include <cstdint>

namespace yolocu {
namespace {

// Continuation bytes that must follow a first byte; -1 if it cannot be first.
int continuation_count(uint8_t first) {
  if (first < 0x80) return 0;
  if (first >= 0xC2 && first <= 0xDF) return 1;
  if (first >= 0xE0 && first <= 0xEF) return 2;
  if (first >= 0xF0 && first <= 0xF4) return 3;
  return -1;
}

// The second byte's range is what excludes overlong forms, surrogates and values past U+10FFFF.
bool second_byte_fits(uint8_t first, uint8_t second) {
  if (first == 0xE0) return second >= 0xA0;
  if (first == 0xED) return second <= 0x9F;
  if (first == 0xF0) return second >= 0x90;
  if (first == 0xF4) return second <= 0x8F;
  return true;
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const int following = continuation_count(byte(i));
    if (following < 0 || text.size() - i <= static_cast<size_t>(following)) return false;
    for (size_t k = 1; k <= static_cast<size_t>(following); ++k) {
      if ((byte(i + k) & 0xC0u) != 0x80u) return false;
    }
    if (following > 0 && !second_byte_fits(byte(i), byte(i + 1))) return false;
    i += 1 + static_cast<size_t>(following);
  }
  return true;
}

std::string printable(std::string_view text) {
  constexpr size_t kShown = 100;
  std::string shown(text.substr(0, kShown));
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text.size() > kShown ? shown + "..." : shown;
}

}  // namespace yolocu
