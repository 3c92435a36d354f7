// Packed files that must be refused, with a message that says what is wrong where.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "engine/base/str_cat.h"
#include "tests/format/packed_bytes.h"
#include "tests/format/small_model.h"
#include "tests/support/test_support.h"
#include "weights/format/packed_file.h"
#include "weights/format/quantization.h"

namespace yolocu {
namespace {

using testing::Bytes;
using testing::packed;

// Opens an exact heap copy, so that AddressSanitizer sees a read past the end.
Status open_status(std::span<const std::byte> bytes) {
  const Bytes copy(bytes.begin(), bytes.end());
  return open_packed_bytes(copy).status();
}

void expect_refused(std::span<const std::byte> bytes, const std::string& message,
                    StatusCode code = StatusCode::kCorrupt) {
  testing::expect_refused(open_status(bytes), code, message);
}

class Corrupted : public ::testing::TestWithParam<Model (*)()> {};
INSTANTIATE_TEST_SUITE_P(Models, Corrupted,
                         ::testing::Values(&testing::small_model, &testing::int8_model));

TEST_P(Corrupted, TruncationAtEveryByteSaysSo) {
  const Bytes bytes = packed(GetParam()());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Status status = open_status(std::span(bytes).first(size));
    ASSERT_EQ(status.code(), StatusCode::kCorrupt) << size;
    ASSERT_NE(status.message().find("truncated"), std::string::npos) << status.message();
    ASSERT_TRUE(status.message().ends_with(str_cat("got ", size))) << status.message();
  }
  expect_refused(std::span(bytes).first(bytes.size() - 1),
                 str_cat("truncated: expected ", bytes.size(), " bytes, got ", bytes.size() - 1));
}

TEST_P(Corrupted, ABitFlipAtEveryByteIsRefused) {
  Bytes bytes = packed(GetParam()());
  size_t proven = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const std::byte bit{static_cast<uint8_t>(1u << (i % 8))};
    bytes[i] ^= bit;
    const Status status = open_status(bytes);
    ASSERT_FALSE(status.ok()) << "bit " << i % 8 << " of byte " << i;
    if (status.message().find("checksum mismatch") != std::string::npos) ++proven;
    bytes[i] ^= bit;
  }
  // All but flips in the length, the version, the checksum's own text and the like.
  EXPECT_GT(proven, bytes.size() * 9 / 10);
}

TEST(PackedCorruption, EveryBitOfTheFirstBytesAndOfTheDataIsCovered) {
  Bytes bytes = packed(testing::small_model());
  const size_t data_begin = 8 + testing::header_length(bytes);
  for (size_t i = 0; i < bytes.size(); i = i == 127 ? data_begin : i + 1) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      bytes[i] ^= std::byte{static_cast<uint8_t>(1u << bit)};
      const Status status = open_status(bytes);
      ASSERT_FALSE(status.ok()) << "bit " << bit << " of byte " << i;
      if (i >= data_begin) {
        ASSERT_TRUE(status.message().starts_with("damaged: checksum mismatch: expected crc32:"))
            << status.message();
      }
      bytes[i] ^= std::byte{static_cast<uint8_t>(1u << bit)};
    }
  }
}

TEST(PackedCorruption, BytesAfterTheEndAreRefused) {
  Bytes bytes = packed(testing::small_model());
  bytes.push_back(std::byte{0});
  testing::seal(bytes);
  expect_refused(bytes, str_cat("bytes after the last tensor: expected ", bytes.size() - 1,
                                " bytes, got ", bytes.size()));
}

TEST(PackedCorruption, OversizedHeaderLength) {
  Bytes bytes = packed(testing::small_model());
  bytes[7] = std::byte{0xFF};
  expect_refused(bytes, "header length: expected 2 to 100000000 bytes, got 18374686479671");
  bytes[7] = std::byte{0};
  bytes[2] = std::byte{1};
  expect_refused(bytes, "truncated: expected at least ");
}

TEST(PackedCorruption, EditingHelperKeepsAFileValid) {
  const Bytes bytes = packed(testing::small_model());
  const Status status = open_status(testing::edited(bytes, "\"tiny\"", "\"another name\""));
  EXPECT_TRUE(status.ok()) << status.message();
}

struct Edit {
  const char* from;
  const char* to;
  const char* message;
  StatusCode code = StatusCode::kCorrupt;
};

void check_edits(const Model& model, std::span<const Edit> edits) {
  const Bytes bytes = packed(model);
  for (const Edit& edit : edits) {
    SCOPED_TRACE(str_cat(edit.from, " -> ", edit.to));
    expect_refused(testing::edited(bytes, edit.from, edit.to), edit.message, edit.code);
  }
}

TEST(PackedCorruption, Metadata) {
  constexpr StatusCode kUnsupported = StatusCode::kUnsupported;
  const Edit edits[] = {
      {R"(version":"1")", R"(version":"3")",
       "format version 3 is newer than this program (2): update yolocu", kUnsupported},
      {R"("dtype":"F32")", R"("dtype":"F4")", "unknown dtype 'F4'", kUnsupported},
      {R"(version":"1")", R"(version":"0")", "expected a positive integer, got '0'"},
      {R"(version":"1")", R"(version":"01")", "expected a positive integer, got '01'"},
      {R"(version":"1")", R"(version":"1.0")", "expected a positive integer, got '1.0'"},
      {R"(version":"1")", R"(version":"")", "expected a positive integer"},
      {R"(version":"1")", R"(version":"99999999999")", "expected a positive integer"},
      {R"(version":"1")", R"(version":1)", "'yolocu.format_version' is not a string"},
      {R"("yolocu.model")", R"("other.model")", "'yolocu.model' is missing"},
      {R"("yolocu.model")", R"("yolocu.extra":"","yolocu.model")",
       "unknown metadata 'yolocu.extra'"},
      {R"("yolocu.model")", R"("yolocu.format_version":"1","yolocu.model")",
       "header: duplicate key 'yolocu.format_version'"},
      {R"("__metadata__")", R"("__metadata__":{},"__metadata__")", "duplicate key '__metadata__'"},
  };
  check_edits(testing::small_model(), edits);
}

TEST(PackedCorruption, ANewerVersionWithTypesOfItsOwnIsCalledNewer) {
  const Bytes newer =
      testing::edited(packed(testing::small_model()), R"(version":"1")", R"(version":"3")");
  expect_refused(testing::edited(newer, R"("dtype":"F32")", R"("dtype":"F4")"),
                 "format version 3 is newer", StatusCode::kUnsupported);
}

TEST(PackedCorruption, ModelDocument) {
  constexpr StatusCode kUnsupported = StatusCode::kUnsupported;
  const Edit edits[] = {
      {R"("op":"conv")", R"("op":"conv3d")", "node 1 'stem': unknown op 'conv3d'", kUnsupported},
      {R"("silu")", R"("mish")", "node 1 'stem': conv: 'activation': unknown activation 'mish'",
       kUnsupported},
      {R"("kernel":3,)", "", "node 1 'stem': conv: 'kernel' is missing"},
      {R"("kernel":3)", R"("kernel":"3")", "'kernel': expected an integer"},
      {R"("kernel":3)", R"("kernel":3.0)", "'kernel': expected an integer"},
      {R"("kernel":3)", R"("kernel":-3)", "'kernel': expected 0 to 2147483647, got -3"},
      {R"("kernel":3)", R"("kernel":18446744073709551615)", "'kernel': expected an integer"},
      {R"("kernel":3)", R"("kernel":1e999)", "not valid JSON at byte"},
      {R"("kernel":3)", R"("kernel":NaN)", "not valid JSON at byte"},
      {R"("kernel":3)", R"("kernel":null)", "'kernel': expected an integer"},
      {R"("kernel":3)", R"("kernel":3,"kernel":3)", "duplicate key 'kernel'"},
      {R"("kernel":3)", R"("kernel":3,"dilation":2)", "unknown field 'dilation'"},
      {R"("kernel":3,"stride":2,"padding":1)", R"("kernel":5,"stride":2,"padding":2)",
       "tensor 'stem.w': expected [4,5,5,3] F16 or F32, got [4,3,3,3] F16"},
      {R"("kernel":3)", R"("kernel":0)", "node 1 'stem' (conv)"},
      {R"("bias":"stem.b")", R"("bias":"cls.b")", "tensor 'cls.b': expected [4] F32, got [2] F32"},
      {R"("bias":"stem.b")", R"("bias":"gone")", "tensor 'gone': expected [4] F32, got nothing"},
      {R"("weight":"stem.w")", R"("weight":"")", "weight '': expected 1 to 255 bytes"},
      {R"("name":"stem")", R"("name":"a\u001b[31m")", "name 'a?[31m': expected 1 to 255 bytes"},
      {R"("strides":[2.0])", R"("strides":[1e300])", "'strides': expected a finite fp32 number"},
      {R"("strides":[2.0])", R"("strides":[-1e999])", "not valid JSON"},
      {R"("strides":[2.0])", R"("strides":[4])", "expected a head of stride 4, got H/2"},
      {R"("strides":[2.0])", R"("strides":2)", "'strides': expected an array"},
      {R"("inputs":[0])", R"("inputs":[1])",
       "node 1 'stem' (conv): operand 1 is not an earlier node"},
      {R"("inputs":[0])", R"("inputs":[4294967296])", "'inputs': expected 0 to 2147483647"},
      {R"("shape":["N","H/2")", R"("shape":["N","H/3")", "node 1 'stem': expected shape"},
      {R"("stride":2,"letterbox")", R"("stride":4,"letterbox")", "'stride': expected 2, got 4"},
      {R"("input_size":64)", R"("input_size":65)", "default input size 65x65"},
      {R"("input_size":64)", R"("input_size":0)", "'input_size': expected 1 to 65536, got 0"},
      {R"("cat",)", "", "expected 2 class names, got 1"},
      {R"("cat",)", "7,", "'class_names': expected strings"},
      {R"("pad_value":114)", R"("pad_value":256)", "letterbox: 'pad_value': expected 0 to 255"},
      {R"("centered")", R"("corner")", "letterbox: unknown policy 'corner'", kUnsupported},
      {R"("letterbox":{"policy":"centered","pad_value":114},)", "", "'letterbox' is missing"},
      {"\"sha256\":\"aaa", "\"sha256\":\"AAA", "source SHA-256: expected 64 lower-case hex digits"},
      {R"("architecture")", R"("colour":1,"architecture")", "unknown field 'colour'"},
  };
  check_edits(testing::small_model(), edits);
}

TEST(PackedCorruption, Int8Attributes) {
  const char* const scale = R"("output_scale":0.5)";  // of the stem, node 1
  const Edit edits[] = {
      {scale, R"("output_scale":-0.5)",
       "node 1 'stem' (conv): output_scale: expected a number from 9.09495e-13 to 1.09951e+12, got "
       "-0.5"},
      {scale, R"("output_scale":1e-13)", "output_scale: expected a number from"},
      {scale, R"("output_scale":1e13)", "output_scale: expected a number from"},
      {scale, R"("output_scale":1e39)", "'output_scale': expected a finite fp32 number"},
      {scale, R"("output_scale":NaN)", "not valid JSON at byte"},
      {scale, R"("output_scale":"0.5")", "'output_scale': expected a finite fp32 number"},
      {R"(,"output_scale":0.5)", "", "node 1 'stem': conv: 'output_scale' is missing"},
      {scale, R"("output_scale":0)",
       "node 2 'mid' (conv): an int8 convolution reads value 1, which is floating point"},
      {R"("accumulator_scale":"mid.s",)", "", "node 2 'mid': conv: 'accumulator_scale' is missing"},
      {R"("accumulator_scale":"mid.s")", R"("accumulator_scale":"")",
       "tensor 'mid.w': expected [4,3,3,2] F16 or F32, got [4,3,3,2] I8"},
      {R"("accumulator_scale":"mid.s")", R"("accumulator_scale":"gone")",
       "tensor 'gone': expected [4] F32, got nothing"},
      {R"("accumulator_scale":"mid.s")", R"("accumulator_scale":"cls.b")",
       "tensor 'cls.b': expected [4] F32, got [2] F32"},
      {R"("weight":"mid.w")", R"("weight":"box.w")",
       "tensor 'box.w': expected [4,3,3,2] I8, got [4,1,1,8] F32"},
      {R"("output_scale":0.25)", R"("output_scale":0)",
       "node 4 'cat' (concat): operand 1 is floating point"},
      {R"("output_scale":0.0)", R"("output_scale":1)",
       "node 7 'decode' (decode_dfl): head 0 is int8, expected floating point"},
      {R"(version":"2")", R"(version":"1")", "node 1 'stem': conv: unknown field"},
  };
  check_edits(testing::int8_model(), edits);
}

TEST(PackedCorruption, Int8AttributesAreUnknownToVersion1) {
  const Edit edits[] = {
      {R"(version":"1")", R"(version":"2")", "conv: 'accumulator_scale' is missing"},
      {R"("kernel":3)", R"("kernel":3,"output_scale":1)", "unknown field 'output_scale'"},
  };
  check_edits(testing::small_model(), edits);
}

TEST(PackedCorruption, Int8Tensors) {
  const auto message_with = [](const char* tensor, size_t at, std::vector<std::byte> bytes) {
    Model model = testing::int8_model();
    TensorView& view = model.tensors.at(tensor);
    std::vector<std::byte> changed(view.data.begin(), view.data.end());
    std::copy(bytes.begin(), bytes.end(), changed.begin() + static_cast<std::ptrdiff_t>(at));
    view.data = changed;
    return serialize_packed(model).status().message();
  };
  const auto floats = [](float value) {
    std::vector<std::byte> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  };
  EXPECT_EQ(message_with("mid.w", 5, {std::byte{0x81}}), "");
  EXPECT_EQ(message_with("mid.w", 5, {std::byte{0x80}}),
            "tensor 'mid.w': expected -127 to 127, got -128");
  for (const float bad : {0.0f, -1.0f, NAN, INFINITY, 1e-30f, 1e30f, 1e-40f}) {
    testing::expect_refused(
        corrupt(message_with("mid.s", 8, floats(bad))), StatusCode::kCorrupt,
        "tensor 'mid.s', element 2: expected a number from 8.27181e-25 to 1.20893e+24, got ");
  }
}

// Doubled again and again: channels whose scale changes at every one.
TEST(PackedCorruption, ScalesThatChangeTooOftenAreRefused) {
  Graph graph;
  graph.nodes = {{"images", {}, InputOp{}}};
  for (const float scale : {0.5f, 0.25f}) {
    graph.nodes.push_back(
        {"conv", {0}, ConvOp{.out_channels = 1, .weight = "w", .output_scale = scale}});
  }
  for (int i = 0; i < 12; ++i) {
    const int last = static_cast<int>(graph.nodes.size()) - 1;
    graph.nodes.push_back(
        {"cat", i == 0 ? std::vector{1, 2} : std::vector{last, last}, ConcatOp{}});
  }
  for (int i = 0; i < 64; ++i) {
    const int last = static_cast<int>(graph.nodes.size()) - 1;
    graph.nodes.push_back({"pool", {last}, MaxPoolOp{.kernel = 1, .stride = 1}});
  }
  std::vector<ValueShape> shapes(graph.nodes.size());
  for (ValueShape& shape : shapes) shape.channels = 1;
  testing::expect_refused(infer_scales(graph, shapes).status(), StatusCode::kResourceExhausted,
                          "the scales of channels change too often");
}

TEST(PackedCorruption, MessagesOfTheDocumentSayWhereTheyCameFrom) {
  expect_refused(testing::edited(packed(testing::small_model()), R"("op":"conv")", R"("op":"x")"),
                 "yolocu.model: node 1", StatusCode::kUnsupported);
}

TEST(PackedCorruption, AnchorAttributes) {
  const Edit edits[] = {
      {R"("anchors":[[1.5,)", R"("anchors":[[-1.5,)", "anchors of level 0 are not pairs of sizes"},
      {R"("anchors":[[1.5,)", R"("anchors":[[1e39,)", "'anchors': expected a finite fp32 number"},
      {R"("anchors":[[1.5,)", R"("anchors":[["a",)", "'anchors': expected a finite fp32 number"},
      {R"("anchors":[[)", R"("anchors":[1,[)", "'anchors': expected an array of numbers"},
      {R"("negative_slope")", R"("slope")", "node 2 'twin.a': conv: 'negative_slope' is missing"},
  };
  check_edits(testing::every_op_model(), edits);
}

TEST(PackedCorruption, DeepNestingIsRefusedAtOnce) {
  const std::string deep(100'000, '[');
  const Bytes bytes = packed(testing::small_model());
  expect_refused(testing::edited(bytes, R"("strides":[2.0])", "\"strides\":" + deep),
                 "JSON nested deeper than 16");
  expect_refused(testing::edited(bytes, R"("__metadata__")", "\"x\":" + deep + ",\"__metadata__\""),
                 "header: JSON nested deeper than 16");
}

TEST(PackedCorruption, TensorsOfTheContainer) {
  const Edit edits[] = {
      {R"("shape":[4,3,3,3],"data_offsets":[0,216])", R"("shape":[4,27],"data_offsets":[0,216])",
       "tensor 'stem.w': expected [4,3,3,3] F16 or F32, got [4,27] F16"},
      {R"("stem.b":{"dtype":"F32")", R"("stem.b":{"dtype":"I32")",
       "tensor 'stem.b': expected [4] F32, got [4] I32"},
      {R"("pad.0":{"dtype":"U8")", R"("pad.0":{"dtype":"I8")",
       "tensor 'pad.0': expected U8 padding"},
      {R"("stem.w":{)", R"("stem.x":{)",
       "tensor 'stem.w': expected [4,3,3,3] F16 or F32, got nothing"},
      {R"("pad.0":{)", R"("extra":{)", "tensor 'extra' begins at byte"},
  };
  check_edits(testing::small_model(), edits);
}

TEST(PackedWriter, RefusesWhatItCouldNotReadBack) {
  const auto message_after = [](auto change) {
    Model model = testing::small_model();
    change(model);
    return serialize_packed(model).status().message();
  };
  EXPECT_EQ(message_after([](Model& m) { m.tensors.erase("box.w"); }),
            "tensor 'box.w': expected [4,1,1,4] F16 or F32, got nothing");
  EXPECT_EQ(message_after([](Model& m) { m.tensors["box.w"].data = {}; }),
            "tensor 'box.w': 0 bytes for [4,1,1,4] F32");
  EXPECT_EQ(message_after([](Model& m) { m.tensors["pad.7"] = m.tensors["cls.b"]; }),
            "tensor 'pad.7': the name is reserved");
  EXPECT_EQ(message_after([](Model& m) { m.tensors["__metadata__"] = m.tensors["cls.b"]; }),
            "tensor '__metadata__': the name is reserved");
  EXPECT_EQ(message_after([](Model& m) { m.spec.class_names[0] = "\xFF"; }),
            "class name: '?' is not UTF-8");
  EXPECT_EQ(message_after([](Model& m) { m.spec.graph.nodes[1].name = "two\nlines"; }),
            "node 'two?lines': expected 1 to 255 bytes without control characters");
  EXPECT_EQ(message_after([](Model& m) { m.spec.graph.nodes.clear(); }),
            "graph of 0 nodes, expected 2 to 65536");
}

}  // namespace
}  // namespace yolocu
