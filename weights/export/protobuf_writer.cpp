#include "weights/export/protobuf_writer.h"

#include <bit>

namespace yolocu {
namespace {

constexpr int kVarint = 0, kLengthDelimited = 2, kFixed32 = 5;

}  // namespace

// Seven bits a byte, lowest first; the top bit says that more follow. Negative numbers are their
// two's complement of 64 bits.
void ProtobufWriter::varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) text_ += static_cast<char>((value & 0x7F) | 0x80);
  text_ += static_cast<char>(value);
}

void ProtobufWriter::tag(int field, int wire_type) {
  varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire_type));
}

void ProtobufWriter::integer(int field, int64_t value) {
  tag(field, kVarint);
  varint(static_cast<uint64_t>(value));
}

void ProtobufWriter::number(int field, float value) {
  tag(field, kFixed32);
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) text_ += static_cast<char>(bits >> shift & 0xFF);
}

void ProtobufWriter::bytes(int field, std::string_view value) {
  tag(field, kLengthDelimited);
  varint(value.size());
  text_ += value;
}

}  // namespace yolocu
