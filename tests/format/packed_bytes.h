// Packed files as bytes for tests: cut apart, edited and sealed again without the code under test.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weights/format/packed_file.h"

namespace yolocu::testing {

using Bytes = std::vector<std::byte>;

// The packed file of `model`; fails the test if there is none.
inline Bytes packed(const Model& model) {
  auto bytes = serialize_packed(model);
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return bytes.ok() ? std::move(*bytes) : Bytes{};
}

inline Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// A safetensors file of this header text and data.
inline Bytes container(std::string_view header, std::span<const std::byte> data) {
  Bytes bytes;
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<std::byte>((uint64_t{header.size()} >> (8 * i)) & 0xFFu));
  }
  const Bytes text = to_bytes(header);
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

inline size_t header_length(std::span<const std::byte> bytes) {
  size_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= std::to_integer<size_t>(bytes[i]) << (8 * i);
  return length;
}

inline std::string header_of(std::span<const std::byte> bytes) {
  const auto header = bytes.subspan(8, header_length(bytes));
  return {reinterpret_cast<const char*>(header.data()), header.size()};
}

// CRC-32 bit by bit, from its polynomial.
inline uint32_t slow_crc32(std::span<const std::byte> bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

// Makes the checksum right again.
inline void seal(Bytes& bytes) {
  constexpr std::string_view kKey = "\"yolocu.checksum\":\"crc32:";
  const size_t digits = 8 + header_of(bytes).find(kKey) + kKey.size();
  std::memcpy(bytes.data() + digits, "00000000", 8);
  const uint32_t crc = slow_crc32(bytes);
  for (size_t i = 0; i < 8; ++i) {
    bytes[digits + i] = static_cast<std::byte>("0123456789abcdef"[(crc >> (28 - 4 * i)) & 15u]);
  }
}

// The file with `from` (which must occur) replaced by `to` in its header, padded and sealed.
// `from` and `to` are in the words of the model document; its quotes are escaped as needed.
inline Bytes edited(std::span<const std::byte> bytes, const std::string& from,
                    const std::string& to) {
  const auto escaped = [](const std::string& text) {
    std::string out;
    for (const char c : text)
      out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return out;
  };
  std::string header = header_of(bytes);
  const size_t data_begin = 8 + header.size();
  size_t place = header.find(from);
  const bool raw = place != std::string::npos;
  const std::string old_text = raw ? from : escaped(from);
  if (!raw) place = header.find(old_text);
  if (place == std::string::npos) throw std::invalid_argument("no '" + from + "' in the header");
  header.replace(place, old_text.size(), raw ? to : escaped(to));
  header.erase(header.find_last_not_of(' ') + 1);
  while ((8 + header.size()) % 64 != 0) header += ' ';
  Bytes result = container(header, bytes.subspan(data_begin));
  seal(result);
  return result;
}

}  // namespace yolocu::testing
