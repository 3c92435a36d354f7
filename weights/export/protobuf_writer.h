// The wire format of Protocol Buffers, as far as ONNX needs it: messages of integers, floats, bytes
// and messages. Source: https://protobuf.dev/programming-guides/encoding
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace yolocu {

// One message. Fields are appended in the order of calls; a field that occurs again is a repeated
// one. `field` is its number in the message's definition, 1..2^29-1.
class ProtobufWriter {
 public:
  void integer(int field, int64_t value);         // int64, int32, enums: varint
  void number(int field, float value);            // float: 4 bytes, little-endian
  void bytes(int field, std::string_view value);  // string, bytes
  void message(int field, const ProtobufWriter& value) { bytes(field, value.text_); }
  // All fields of another writer, after those that are there.
  void append(const ProtobufWriter& fields) { text_ += fields.text_; }

  const std::string& text() const { return text_; }

 private:
  void tag(int field, int wire_type);
  void varint(uint64_t value);

  std::string text_;
};

}  // namespace yolocu
