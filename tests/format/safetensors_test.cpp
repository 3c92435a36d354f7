// The container: files of others read by the published rules, our own laid out as promised.
#include "weights/format/safetensors.h"

#include <gtest/gtest.h>

#include "engine/base/str_cat.h"
#include "tests/format/packed_bytes.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::Bytes;
using testing::container;

// Parses an exact heap copy, so that AddressSanitizer sees a read past the end.
Status parse_status(std::span<const std::byte> bytes) {
  const Bytes copy(bytes.begin(), bytes.end());
  return parse_safetensors(copy).status();
}

Status parse_status(std::string_view header, size_t data_bytes) {
  return parse_status(container(header, Bytes(data_bytes)));
}

void expect_refused(std::string_view header, size_t data_bytes, const std::string& message,
                    StatusCode code = StatusCode::kCorrupt) {
  const Status status = parse_status(header, data_bytes);
  EXPECT_EQ(status.code(), code) << header;
  EXPECT_NE(status.message().find(message), std::string::npos)
      << "expected '" << message << "' in: " << status.message();
}

TEST(Safetensors, ReadsAFileOfOthers) {
  // Tensors in any order, white space, an empty tensor, a scalar, escapes; header of odd length.
  const std::string header =
      R"({ "b" : {"shape":[ ], "dtype":"F32", "data_offsets":[2,6]}, "empty":{"dtype":"I64",)"
      R"("shape":[5,0],"data_offsets":[2,2]}, "\u00e4/\"":{"dtype":"F16","shape":[1],)"
      R"("data_offsets":[0,2]}, "__metadata__":{"format":"pt","k":"{\"a\":1}"}}   )";
  const Bytes file = container(header, testing::to_bytes("\1\2\3\4\5\6"));
  const auto view = parse_safetensors(file);
  ASSERT_OK(view);
  ASSERT_EQ(view->tensors.size(), 3u);
  EXPECT_EQ(view->tensors[0].name, "\xC3\xA4/\"");
  EXPECT_EQ(view->tensors[0].dtype, DType::kF16);
  EXPECT_EQ(view->tensors[1].name, "empty");
  EXPECT_EQ(view->tensors[1].shape, (std::vector<int64_t>{5, 0}));
  EXPECT_EQ(view->tensors[2].shape, std::vector<int64_t>{});
  EXPECT_EQ(view->bytes_of(view->tensors[2]).front(), std::byte{3});
  EXPECT_EQ(view->bytes_of(view->tensors[2]).size(), 4u);
  EXPECT_EQ(view->metadata.size(), 2u);
  EXPECT_EQ(view->metadata.at("k"), "{\"a\":1}");
}

TEST(Safetensors, ReadsAnEmptyFile) {
  const auto view = parse_safetensors(container("{}", {}));
  ASSERT_OK(view);
  EXPECT_TRUE(view->tensors.empty());
  EXPECT_TRUE(view->metadata.empty());
}

TEST(Safetensors, KnowsEveryElementType) {
  for (const auto& [name, bytes] :
       std::initializer_list<std::pair<const char*, int>>{{"U8", 3},
                                                          {"I8", 3},
                                                          {"I16", 6},
                                                          {"I32", 12},
                                                          {"I64", 24},
                                                          {"F16", 6},
                                                          {"BF16", 6},
                                                          {"F32", 12},
                                                          {"F64", 24}}) {
    const std::string header =
        str_cat(R"({"t":{"dtype":")", name, R"(","shape":[3],"data_offsets":[0,)", bytes, "]}}");
    const Status status = parse_status(header, static_cast<size_t>(bytes));
    EXPECT_TRUE(status.ok()) << status.message();
  }
  for (const char* name : {"BOOL", "F8_E4M3", "f32", "", "U64"}) {
    expect_refused(str_cat(R"({"t":{"dtype":")", name, R"(","shape":[3],"data_offsets":[0,3]}})"),
                   3, str_cat("tensor 't': unknown dtype '", name, "'"), StatusCode::kUnsupported);
  }
}

TEST(Safetensors, RefusesBrokenHeaders) {
  expect_refused("", 0, "header length: expected 2 to 100000000 bytes, got 0");
  expect_refused("[]", 0, "header: expected '{' at byte 8");
  expect_refused(" {}", 0, "header: expected '{' at byte 8");
  expect_refused("{}x", 0, "header: not valid JSON at byte 3");
  expect_refused(std::string("{}\0\0", 4), 0, "header: not valid JSON at byte 3");
  expect_refused("{} // comment", 0, "header: not valid JSON");
  expect_refused("{\"\xFF\":1}", 0, "header: not valid JSON");
  expect_refused("{\"\\ud800\":1}", 0, "header: not valid JSON");
  expect_refused("{\"a\":", 0, "header: not valid JSON");
  expect_refused(R"({"t":3})", 0, "tensor 't': expected a JSON object");
  expect_refused(R"({"__metadata__":[]})", 0, "__metadata__: expected a JSON object");
  expect_refused(R"({"__metadata__":{"a":1}})", 0,
                 "__metadata__: the value of 'a' is not a string");
  expect_refused(R"({"a":{},"a":{}})", 0, "header: duplicate key 'a'");
  expect_refused(R"({"a":{"dtype":"U8","dtype":"U8"}})", 0, "header: duplicate key 'dtype'");
  expect_refused(R"({"__metadata__":{"a":"","a":""}})", 0, "header: duplicate key 'a'");
  expect_refused("{\"a\":" + std::string(1'000'000, '['), 0, "JSON nested deeper than 16");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  expect_refused(deep, 0, "JSON nested deeper than 16");
  std::string many = "{\"a\":[0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  expect_refused(many + "]}", 0, "more than 1000000 JSON values", StatusCode::kResourceExhausted);
}

TEST(Safetensors, RefusesBrokenTensors) {
  const auto tensor = [](const std::string& fields) { return "{\"t\":{" + fields + "}}"; };
  const std::string u8 = R"("dtype":"U8",)";
  expect_refused(tensor(R"("shape":[1],"data_offsets":[0,1])"), 1,
                 "tensor 't': 'dtype' is missing");
  expect_refused(tensor(u8 + R"("data_offsets":[0,1])"), 1, "'shape' is missing");
  expect_refused(tensor(u8 + R"("shape":[1])"), 1, "'data_offsets' is missing");
  expect_refused(tensor(u8 + R"("shape":[1],"data_offsets":[0,1],"x":0)"), 1, "unknown field 'x'");
  expect_refused(tensor(u8 + R"("shape":1,"data_offsets":[0,1])"), 1, "'shape': expected an array");
  expect_refused(tensor(u8 + R"("shape":[-1],"data_offsets":[0,1])"), 1, "'shape': expected 0 to");
  expect_refused(tensor(u8 + R"("shape":[1.0],"data_offsets":[0,1])"), 1, "expected an integer");
  expect_refused(tensor(u8 + R"("shape":[true],"data_offsets":[0,1])"), 1, "expected an integer");
  expect_refused(tensor(u8 + R"("shape":[1],"data_offsets":[0])"), 1,
                 "expected [begin,end], got [0]");
  expect_refused(tensor(u8 + R"("shape":[1],"data_offsets":[1,0])"), 1, "got [1,0]");
  expect_refused(tensor(u8 + R"("shape":[1],"data_offsets":[0,1,2])"), 1, "got [0,1,2]");
  expect_refused(tensor(u8 + R"("shape":[2],"data_offsets":[0,1])"), 1,
                 "tensor 't': expected 2 bytes for [2] U8, got 1");
  expect_refused(tensor(u8 + R"("shape":[1],"data_offsets":[0,18446744073709551615])"), 1,
                 "'data_offsets': expected an integer");
}

TEST(Safetensors, RefusesSizesThatOverflow) {
  for (const char* shape :
       {"[4294967296,4294967296]", "[9223372036854775807,2]",
        "[9223372036854775807,9223372036854775807,0]", "[9223372036854775807]"}) {
    expect_refused(str_cat(R"({"t":{"dtype":"F16","shape":)", shape, R"(,"data_offsets":[0,0]}})"),
                   0, "expected over 2^63 bytes");
  }
  expect_refused(R"({"t":{"dtype":"U8","shape":[9223372036854775807],)"
                 R"("data_offsets":[0,9223372036854775807]}})",
                 0, "data of 9223372036854775807 bytes");
  expect_refused(R"({"t":{"dtype":"U8","shape":[9223372036854775000],)"
                 R"("data_offsets":[0,9223372036854775000]}})",
                 0, "truncated: expected 9223372036854775");
}

std::string two_tensors(int first_begin, int first_end, int second_begin, int second_end) {
  return str_cat(R"({"a":{"dtype":"U8","shape":[)", first_end - first_begin,
                 R"(],"data_offsets":[)", first_begin, ",", first_end,
                 R"(]},"b":{"dtype":"U8","shape":[)", second_end - second_begin,
                 R"(],"data_offsets":[)", second_begin, ",", second_end, "]}}");
}

TEST(Safetensors, RefusesOverlapsHolesAndLooseEnds) {
  EXPECT_TRUE(parse_status(two_tensors(0, 4, 4, 8), 8).ok());
  EXPECT_TRUE(parse_status(two_tensors(4, 8, 0, 4), 8).ok());
  expect_refused(two_tensors(0, 4, 3, 8), 8,
                 "'b' begins at byte 3 of the data, expected 4 (overlap)");
  expect_refused(two_tensors(0, 8, 0, 8), 8,
                 "'b' begins at byte 0 of the data, expected 8 (overlap)");
  expect_refused(two_tensors(0, 4, 5, 8), 8, "'b' begins at byte 5 of the data, expected 4 (hole)");
  expect_refused(two_tensors(1, 4, 4, 8), 8, "'a' begins at byte 1 of the data, expected 0 (hole)");
  expect_refused(two_tensors(0, 4, 4, 8), 9, "bytes after the last tensor: expected ");
  expect_refused(two_tensors(0, 4, 4, 8), 7, "truncated: expected ");
}

TEST(Safetensors, NamesInMessagesAreTamed) {
  const std::string header = "{\"\\u001b[2J\\n" + std::string(1000, 'x') + "\":0}";
  const Status status = parse_status(header, 0);
  EXPECT_EQ(status.message().find_first_of("\n\x1b"), std::string::npos);
  EXPECT_LT(status.message().size(), 200u);
}

TEST(Safetensors, TruncationAtEveryByteIsRefused) {
  const Bytes file = container(two_tensors(0, 4, 4, 8), Bytes(8));
  for (size_t size = 0; size < file.size(); ++size) {
    const Status status = parse_status(std::span(file).first(size));
    ASSERT_NE(status.message().find("truncated: expected"), std::string::npos) << size;
  }
}

TEST(Safetensors, AnyByteAnywhereIsSurvived) {
  const Bytes file = container(two_tensors(0, 4, 4, 8) + "  ", Bytes(8));
  for (size_t i = 0; i < file.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      Bytes changed = file;
      changed[i] = static_cast<std::byte>(value);
      const auto view = parse_safetensors(changed);
      if (!view.ok()) continue;
      for (const SafetensorsTensor& tensor : view->tensors) {
        ASSERT_LE(tensor.end, static_cast<int64_t>(view->data.size()));
      }
    }
  }
}

TEST(Safetensors, WriterAlignsAndPads) {
  const Bytes data(200, std::byte{7});
  const auto bytes_of = [&](size_t size) { return std::span(data).first(size); };
  const std::vector<SafetensorsEntry> entries = {{"one", DType::kU8, {1}, bytes_of(1)},
                                                 {"none", DType::kF32, {0, 9}, {}},
                                                 {"full", DType::kF32, {4, 4}, bytes_of(64)},
                                                 {"next", DType::kI16, {}, bytes_of(2)},
                                                 {"last", DType::kF64, {1, 8}, bytes_of(64)}};
  const std::vector<std::pair<std::string, std::string>> metadata = {{"z", "\"\n"}, {"a", ""}};
  const auto file = serialize_safetensors(metadata, entries);
  ASSERT_OK(file);
  const auto view = parse_safetensors(*file);
  ASSERT_OK(view);
  EXPECT_EQ(view->metadata.at("z"), "\"\n");
  EXPECT_EQ((8 + testing::header_length(*file)) % 64, 0u);
  // one 0..1, pad 1..64, none 64..64, full 64..128, next 128..130, pad 130..192, last 192..256.
  EXPECT_EQ(view->data.size(), 256u);
  ASSERT_EQ(view->tensors.size(), 7u);
  EXPECT_EQ(view->tensors[1].name, "pad.0");
  EXPECT_EQ(view->tensors[5].name, "pad.1");
  EXPECT_EQ(view->tensors[5].begin, 130);
  EXPECT_EQ(view->tensors[6].begin, 192);
  for (const SafetensorsTensor& tensor : view->tensors) {
    const std::byte expected{static_cast<uint8_t>(is_padding_name(tensor.name) ? 0 : 7)};
    for (const std::byte byte : view->bytes_of(tensor)) EXPECT_EQ(byte, expected) << tensor.name;
  }
}

TEST(Safetensors, WriterRefusesBadEntries) {
  const Bytes data(4);
  const auto message_of = [](std::vector<SafetensorsEntry> entries) {
    return serialize_safetensors({}, entries).status().message();
  };
  const SafetensorsEntry good{"a", DType::kF32, {1}, data};
  EXPECT_EQ(message_of({good}), "");
  EXPECT_EQ(message_of({good, good}), "tensor 'a' occurs twice");
  EXPECT_EQ(message_of({{"pad.12", DType::kF32, {1}, data}}),
            "tensor 'pad.12': the name is reserved");
  EXPECT_EQ(message_of({{"pad.x", DType::kF32, {1}, data}}), "");
  EXPECT_EQ(message_of({{"a", DType::kF32, {2}, data}}), "tensor 'a': 4 bytes for [2] F32");
  EXPECT_EQ(message_of({{"a", DType::kF32, {-1}, data}}), "tensor 'a': 4 bytes for [-1] F32");
  EXPECT_EQ(message_of({{"\x80", DType::kF32, {1}, data}}), "'?' is not UTF-8");
}

TEST(Safetensors, ReadsCheckpointsOfOthers) {
  YOLOCU_REQUIRE_SHARED("golden/a/v9_gelan-t_sd");
  for (const char* name : {"sd.safetensors", "sd_f16.safetensors", "sd_bf16.safetensors"}) {
    const Bytes file =
        testing::read_bytes(testing::shared_dir() + "/golden/a/v9_gelan-t_sd/" + name);
    const auto view = parse_safetensors(file);
    ASSERT_OK(view);
    EXPECT_EQ(view->tensors.size(), 1339u) << name;
    EXPECT_EQ(view->metadata.at("format"), "pt") << name;
  }
}

}  // namespace
}  // namespace yolocu
