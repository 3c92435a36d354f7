#include "apps/console.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace yolocu {

std::string one_line(std::string_view text) {
  std::string line(text);
  for (size_t i = 0; i < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if (byte < ' ' || byte == 0x7F) line[i] = '?';
    // U+0080 to U+009F: control characters too, such as CSI.
    const bool is_control = byte == 0xC2 && i + 1 < line.size() &&
                            (static_cast<unsigned char>(line[i + 1]) & 0xE0) == 0x80;
    if (is_control) line.replace(i, 2, "?");
  }
  return line;
}

int report_failure(const Status& status) {
  std::fprintf(stderr, "yolocu: %s\n", one_line(status.message()).c_str());
  return kExitFailure;
}

int report(const Status& status) {
  return status.ok() ? kExitOk : report_failure(status);
}

int report_usage(std::string_view command, std::string_view message) {
  const std::string program = command.empty() ? "yolocu" : "yolocu " + std::string(command);
  std::fprintf(stderr, "%s: %s (%s --help tells more)\n", program.c_str(),
               one_line(message).c_str(), program.c_str());
  return kExitUsage;
}

Status print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return {};
  return unavailable(std::string("standard output: ") + std::strerror(errno));
}

size_t character_count(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string padded(std::string_view text, size_t width) {
  const size_t count = character_count(text);
  return std::string(text) + std::string(width > count ? width - count : 0, ' ');
}

std::string fixed(double value, int decimals) {
  char text[400];  // the largest double has 309 digits
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

}  // namespace yolocu
