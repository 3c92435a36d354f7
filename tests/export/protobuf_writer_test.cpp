#include "weights/export/protobuf_writer.h"

#include <gtest/gtest.h>

namespace yolocu {
namespace {

using std::literals::string_literals::operator""s;

// The examples of the specification.
TEST(ProtobufWriter, WritesTheSpecificationsExamples) {
  ProtobufWriter number, text, outer;
  number.integer(1, 150);
  EXPECT_EQ(number.text(), "\x08\x96\x01");
  text.bytes(2, "testing");
  EXPECT_EQ(text.text(), "\x12\x07testing");
  outer.message(3, number);
  EXPECT_EQ(outer.text(), "\x1a\x03\x08\x96\x01");
}

TEST(ProtobufWriter, NumbersHaveTheirBits) {
  ProtobufWriter w;
  w.number(1, -2.0f);
  w.integer(2, 0);
  w.integer(20, 127);
  EXPECT_EQ(w.text(), "\x0d\x00\x00\x00\xc0\x10\x00\xa0\x01\x7f"s);
}

TEST(ProtobufWriter, NegativeIntegersTakeTenBytes) {
  ProtobufWriter w;
  w.integer(1, -1);
  EXPECT_EQ(w.text(), "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST(ProtobufWriter, AppendsFields) {
  ProtobufWriter a, b;
  a.integer(1, 1);
  b.bytes(2, "");
  a.append(b);
  EXPECT_EQ(a.text(), "\x08\x01\x12\x00"s);
}

}  // namespace
}  // namespace yolocu
