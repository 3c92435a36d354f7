// Reads the wire format of Protocol Buffers, for tests: what a message holds, by field number.
// Throws std::out_of_range for bytes that are no message.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace yolocu::testing {

struct WireMessage {
  std::map<int, std::vector<int64_t>> integers;
  std::map<int, std::vector<float>> numbers;
  std::map<int, std::vector<std::string_view>> bytes;  // of the text that was read

  int64_t integer(int field) const { return integers.at(field).at(0); }
  std::string text(int field) const { return std::string(bytes.at(field).at(0)); }
  WireMessage message(int field, size_t index = 0) const;
  std::vector<WireMessage> messages(int field) const;
  std::vector<std::string> texts(int field) const;
};

class WireReader {
 public:
  explicit WireReader(std::string_view text) : text_(text) {}

  WireMessage read() {
    WireMessage message;
    while (!text_.empty()) {
      const uint64_t tag = varint();
      const int field = static_cast<int>(tag / 8);
      switch (tag % 8) {
        case 0: message.integers[field].push_back(static_cast<int64_t>(varint())); break;
        case 2: message.bytes[field].push_back(take(varint())); break;
        case 5: {
          float value = 0;
          std::memcpy(&value, take(4).data(), 4);
          message.numbers[field].push_back(value);
          break;
        }
        default: throw std::out_of_range("wire type");
      }
    }
    return message;
  }

 private:
  std::string_view take(uint64_t count) {
    if (count > text_.size()) throw std::out_of_range("length");
    const std::string_view part = text_.substr(0, count);
    text_.remove_prefix(count);
    return part;
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw std::out_of_range("varint");
  }

  std::string_view text_;
};

inline WireMessage WireMessage::message(int field, size_t index) const {
  return WireReader(bytes.at(field).at(index)).read();
}

inline std::vector<WireMessage> WireMessage::messages(int field) const {
  std::vector<WireMessage> all;
  const auto found = bytes.find(field);
  if (found == bytes.end()) return all;
  for (const std::string_view text : found->second) all.push_back(WireReader(text).read());
  return all;
}

inline std::vector<std::string> WireMessage::texts(int field) const {
  const auto found = bytes.find(field);
  if (found == bytes.end()) return {};
  return {found->second.begin(), found->second.end()};
}

}  // namespace yolocu::testing
