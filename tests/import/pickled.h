// Pickles assembled by hand, as text fragments: each function gives the opcodes that push one
// object, so that nested calls read like the object they make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace yolocu::testing::pickled {

// `value` in `width` bytes, least significant first.
inline std::string little_endian(uint64_t value, int width) {
  std::string bytes;
  for (int i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}

inline std::string text(std::string_view value) {
  return "X" + little_endian(value.size(), 4) + std::string(value);
}
inline std::string integer(int64_t value) {
  return "\x8a\x08" + little_endian(static_cast<uint64_t>(value), 8);
}
inline std::string real(double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  const std::string low_first = little_endian(bits, 8);
  return "G" + std::string(low_first.rbegin(), low_first.rend());
}
inline const std::string kNone = "N";
inline const std::string kTrue = "\x88";
inline const std::string kFalse = "\x89";

inline std::string join(const std::vector<std::string>& items) {
  std::string all;
  for (const std::string& item : items) all += item;
  return all;
}
inline std::string tuple(const std::vector<std::string>& items) {
  return "(" + join(items) + "t";
}
inline std::string list(const std::vector<std::string>& items) {
  return "](" + join(items) + "e";
}

// Alternating keys and values.
inline std::string dict(const std::vector<std::string>& keys_and_values) {
  return "}(" + join(keys_and_values) + "u";
}
// Keys are texts.
inline std::string record(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::vector<std::string> flat;
  for (const auto& [key, value] : entries) {
    flat.push_back(text(key));
    flat.push_back(value);
  }
  return dict(flat);
}

inline std::string integers(const std::vector<int64_t>& values) {
  std::vector<std::string> items;
  for (const int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}

inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string reduce(const std::string& callee, const std::vector<std::string>& arguments) {
  return callee + tuple(arguments) + "R";
}
// An instance as a module class is pickled: NEWOBJ, then BUILD with its __dict__.
inline std::string instance(const std::string& cls, const std::string& state) {
  return cls + ")\x81" + state + "b";
}

inline std::string remember(const std::string& object, uint8_t entry) {
  return object + "q" + little_endian(entry, 1);
}
inline std::string recall(uint8_t entry) {
  return "h" + little_endian(entry, 1);
}

inline std::vector<std::byte> as_bytes(std::string_view chars) {
  std::vector<std::byte> bytes(chars.size());
  if (!chars.empty()) std::memcpy(bytes.data(), chars.data(), chars.size());
  return bytes;
}

// A whole pickle of protocol 2 around the opcodes of one object.
inline std::string whole(const std::string& object) {
  return "\x80\x02" + object + ".";
}

}  // namespace yolocu::testing::pickled
