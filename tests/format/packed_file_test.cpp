// Round trips of the packed file, its layout, and readers that share no code with it.
#include "weights/format/packed_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "engine/base/str_cat.h"
#include "tests/format/packed_bytes.h"
#include "tests/format/small_model.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::Bytes;
using testing::packed;

std::string list_text(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += str_cat(std::hexfloat, value, " ");
  return text;
}

// Every attribute of an op, listed by hand.
struct Describe {
  std::string operator()(const InputOp& op) const { return str_cat("input ", op.channels); }
  std::string operator()(const ConvOp& op) const {
    return str_cat("conv ", op.out_channels, " ", op.kernel, " ", op.stride, " ", op.padding, " ",
                   op.groups, " ", static_cast<int>(op.activation), " ",
                   list_text({op.negative_slope, op.output_scale}), op.weight, "|", op.bias, "|",
                   op.accumulator_scale);
  }
  std::string operator()(const MaxPoolOp& op) const {
    return str_cat("max ", op.kernel, " ", op.stride, " ", op.padding);
  }
  std::string operator()(const AvgPoolOp& op) const {
    return str_cat("avg ", op.kernel, " ", op.stride);
  }
  std::string operator()(const UpsampleOp& op) const { return str_cat("up ", op.factor); }
  std::string operator()(const ConcatOp&) const { return "concat"; }
  std::string operator()(const AddOp& op) const { return "add " + list_text({op.output_scale}); }
  std::string operator()(const SliceOp& op) const {
    return str_cat("slice ", op.begin, " ", op.channels);
  }
  std::string operator()(const SpaceToDepthOp&) const { return "reorg"; }
  std::string operator()(const DecodeDflOp& op) const {
    return str_cat("dfl ", op.classes, " ", op.bins, " ", list_text(op.strides));
  }
  std::string operator()(const DecodeAnchorOp& op) const {
    std::string text = str_cat("anchor ", op.classes, " ", list_text(op.strides));
    for (const auto& level : op.anchors) text += "[" + list_text(level) + "]";
    return text;
  }
};

void expect_same(const Model& actual, const Model& expected) {
  ASSERT_EQ(actual.spec.graph.nodes.size(), expected.spec.graph.nodes.size());
  for (size_t i = 0; i < expected.spec.graph.nodes.size(); ++i) {
    const Node& a = actual.spec.graph.nodes[i];
    const Node& e = expected.spec.graph.nodes[i];
    EXPECT_EQ(a.name, e.name);
    EXPECT_EQ(a.inputs, e.inputs);
    EXPECT_EQ(std::visit(Describe{}, a.op), std::visit(Describe{}, e.op));
  }
  EXPECT_EQ(actual.spec.architecture, expected.spec.architecture);
  EXPECT_EQ(actual.spec.class_names, expected.spec.class_names);
  EXPECT_EQ(actual.spec.input_size, expected.spec.input_size);
  EXPECT_EQ(actual.spec.letterbox.pad_value, expected.spec.letterbox.pad_value);
  EXPECT_EQ(actual.spec.source_name, expected.spec.source_name);
  EXPECT_EQ(actual.spec.source_sha256, expected.spec.source_sha256);
  ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
  for (const auto& [name, tensor] : expected.tensors) {
    const TensorView& other = actual.tensors.at(name);
    EXPECT_EQ(other.dtype, tensor.dtype) << name;
    EXPECT_EQ(other.shape, tensor.shape) << name;
    EXPECT_TRUE(std::ranges::equal(other.data, tensor.data)) << name;
  }
}

class RoundTrip : public ::testing::TestWithParam<Model (*)()> {};

TEST_P(RoundTrip, ThroughMemoryIsExact) {
  const Model model = GetParam()();
  const Bytes bytes = packed(model);
  const auto opened = open_packed_bytes(bytes);
  ASSERT_OK(opened);
  expect_same(**opened, model);
  EXPECT_EQ(packed(**opened), bytes);
}

TEST_P(RoundTrip, ThroughAFileIsExactAndOutlivesIt) {
  const testing::TempDir folder;
  const std::string path = folder.file("a model.bin");
  const Model model = GetParam()();
  ASSERT_OK(write_packed_file(model, path));
  EXPECT_EQ(testing::read_bytes(path), packed(model));
  const auto opened = open_packed_file(path);
  ASSERT_OK(opened);
  std::remove(path.c_str());
  expect_same(**opened, model);
}

TEST_P(RoundTrip, TensorsAreAlignedInTheFileAndInMemory) {
  const Bytes bytes = packed(GetParam()());
  EXPECT_EQ((8 + testing::header_length(bytes)) % 64, 0u);
  Bytes shifted(bytes.size() + 1);  // one of the two copies is not aligned
  std::copy(bytes.begin(), bytes.end(), shifted.begin() + 1);
  for (const std::span<const std::byte> source :
       {std::span<const std::byte>(bytes), std::span<const std::byte>(shifted).subspan(1)}) {
    const auto opened = open_packed_bytes(source);
    ASSERT_OK(opened);
    for (const auto& [name, tensor] : (*opened)->tensors) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data.data()) % 64, 0u) << name;
    }
  }
}

struct HeaderEntry {
  std::string name, dtype, shape;
  size_t begin = 0, end = 0;
};

// The text between `before` and `after` from `place` on, which moves behind it.
std::string cut(const std::string& text, size_t& place, const std::string& before,
                const std::string& after) {
  const size_t begin = text.find(before, place) + before.size();
  place = text.find(after, begin);
  return text.substr(begin, place - begin);
}

// Tensors of a header as FORMAT.md describes it, by looking for the words of our writer.
std::vector<HeaderEntry> scan_header(const std::string& header) {
  const std::string mark = R"(":{"dtype":")";
  std::vector<HeaderEntry> entries;
  for (size_t place = header.find(mark); place != std::string::npos;
       place = header.find(mark, place)) {
    const size_t name = header.rfind('"', place - 1) + 1;
    HeaderEntry& entry = entries.emplace_back();
    entry.name = header.substr(name, place - name);
    entry.dtype = cut(header, place, mark, R"(",)");
    entry.shape = cut(header, place, R"("shape":)", R"(,"data)");
    entry.begin = std::stoul(cut(header, place, R"("data_offsets":[)", ","));
    entry.end = std::stoul(cut(header, place, ",", "]}"));
  }
  return entries;
}

TEST_P(RoundTrip, AnIndependentReaderFindsEveryTensor) {
  const Model model = GetParam()();
  const Bytes bytes = packed(model);
  const std::string header = testing::header_of(bytes);
  const size_t data_begin = 8 + header.size();
  size_t expected_begin = 0, found = 0, pads = 0;
  for (const HeaderEntry& entry : scan_header(header)) {
    ASSERT_EQ(entry.begin, expected_begin) << entry.name;
    ASSERT_LE(data_begin + entry.end, bytes.size()) << entry.name;
    expected_begin = entry.end;
    const auto data = std::span(bytes).subspan(data_begin + entry.begin, entry.end - entry.begin);
    if (entry.name.starts_with("pad.")) {
      EXPECT_EQ(entry.name, str_cat("pad.", pads++));
      EXPECT_EQ(entry.dtype, "U8");
      EXPECT_LT(data.size(), 64u);
      EXPECT_TRUE(std::ranges::all_of(data, [](std::byte b) { return b == std::byte{0}; }));
      continue;
    }
    ++found;
    EXPECT_EQ((data_begin + entry.begin) % 64, 0u) << entry.name;
    const TensorView& tensor = model.tensors.at(entry.name);
    EXPECT_EQ(entry.dtype, dtype_name(tensor.dtype));
    EXPECT_EQ(entry.shape, shape_text(tensor.shape));
    EXPECT_TRUE(std::ranges::equal(data, tensor.data)) << entry.name;
  }
  EXPECT_EQ(found, model.tensors.size());
  EXPECT_GT(pads, 0u);
  EXPECT_EQ(data_begin + expected_begin, bytes.size());
}

INSTANTIATE_TEST_SUITE_P(Models, RoundTrip,
                         ::testing::Values(&testing::small_model, &testing::every_op_model,
                                           &testing::int8_model));

TEST(PackedFile, ModelDocumentIsAsSpecified) {
  const std::string header = testing::header_of(packed(testing::every_op_model()));
  EXPECT_TRUE(header.starts_with(
      R"({"__metadata__":{"yolocu.format_version":"1","yolocu.checksum":"crc32:)"));
  for (const char* expected :
       {R"("yolocu.model":"{\"architecture\":\"\",\"class_names\":[\"thing\"],\"input_size\":32,)"
        R"(\"stride\":4,\"letterbox\":{\"policy\":\"centered\",\"pad_value\":0},)"
        R"(\"source\":{\"name\":\"\",\"sha256\":\"\"},\"nodes\":[{\"name\":\"images\",)"
        R"(\"op\":\"input\",\"inputs\":[],\"attributes\":{\"channels\":3},)"
        R"(\"shape\":[\"N\",\"H\",\"W\",3]})",
        R"(\"shape\":[\"N\",\"H/4-1\",\"W/4-1\",12])",
        R"(\"op\":\"decode_anchor\",\"inputs\":[11],\"attributes\":{\"classes\":1,)"
        R"(\"strides\":[2.0],)",
        R"(\"shape\":[\"N\",\"A\",6])"}) {
    EXPECT_NE(header.find(expected), std::string::npos) << expected << "\nin\n" << header;
  }
}

TEST(PackedFile, TensorsFollowTheGraphThenTheirNames) {
  const std::string header = testing::header_of(packed(testing::every_op_model()));
  size_t previous = 0;
  for (const char* name : {"twin.w", "down.w", "head.w", "a.scale", "z.scale"}) {
    const size_t place = header.find(str_cat("\"", name, "\":{\"dtype\""));
    ASSERT_NE(place, std::string::npos) << name;
    EXPECT_GT(place, previous) << name;
    previous = place;
  }
}

TEST(PackedFile, ChecksumIsTheCrc32OfTheFileWithItsDigitsZeroed) {
  Bytes bytes = packed(testing::small_model());
  const Bytes original = bytes;
  testing::seal(bytes);  // a bitwise CRC of the test's own
  EXPECT_EQ(bytes, original);
}

// Exit status of a Python program; not 0 where there is no Python.
int run_python(const std::string& program, const std::string& argument) {
  const testing::TempDir folder;
  const std::string script = folder.file("script.py");
  std::ofstream(script) << program;
  return std::system(("python3 " + script + " " + argument + " > /dev/null 2>&1").c_str());
}

TEST(PackedFile, PythonOfTheSpecificationVerifiesTheChecksum) {
  if (run_python("import zlib", "") != 0) GTEST_SKIP() << "no python3 with zlib";
  std::ifstream in(testing::source_dir() + "/weights/format/FORMAT.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  const size_t begin = page.find("```python\n") + 10;
  const std::string program = page.substr(begin, page.find("```", begin) - begin);
  const testing::TempDir folder;
  Bytes bytes = packed(testing::small_model());
  testing::write_bytes(folder.file("model"), bytes);
  EXPECT_EQ(run_python(program, folder.file("model")), 0);
  bytes.back() ^= std::byte{1};
  testing::write_bytes(folder.file("model"), bytes);
  EXPECT_NE(run_python(program, folder.file("model")), 0);
}

TEST(PackedFile, TheSafetensorsPackageOpensIt) {
  if (run_python("import safetensors.numpy", "") != 0) GTEST_SKIP() << "no safetensors package";
  const testing::TempDir folder;
  ASSERT_OK(write_packed_file(testing::small_model(), folder.file("model")));
  EXPECT_EQ(run_python("import sys, safetensors.numpy\n"
                       "tensors = safetensors.numpy.load_file(sys.argv[1])\n"
                       "assert tensors['stem.w'].shape == (4, 3, 3, 3)\n"
                       "assert tensors['stem.b'].tobytes() == bytes(range(16))\n",
                       folder.file("model")),
            0);
}

TEST(PackedFile, IsRecognisedByContent) {
  const Bytes bytes = packed(testing::small_model());
  EXPECT_TRUE(looks_like_packed_file(bytes));
  EXPECT_TRUE(
      looks_like_packed_file(testing::edited(bytes, R"(version":"1")", R"(version":"999")")));
  EXPECT_TRUE(looks_like_packed_file(std::span(bytes).first(100)));
  for (size_t size = 0; size < 30; ++size) {
    EXPECT_FALSE(looks_like_packed_file(std::span(bytes).first(size)));
  }
  EXPECT_FALSE(looks_like_packed_file(testing::container("{}", {})));
  EXPECT_FALSE(looks_like_packed_file(testing::to_bytes("PK\3\4 yolocu.format_version")));
  // The words outside the header do not count.
  EXPECT_FALSE(looks_like_packed_file(
      testing::container("{}", testing::to_bytes("\"yolocu.format_version\""))));
  EXPECT_FALSE(looks_like_packed_file(Bytes(64, std::byte{0xFF})));
}

TEST(PackedFile, ErrorsBeginWithThePath) {
  const testing::TempDir folder;
  const auto missing = open_packed_file(folder.file("none"));
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(), folder.file("none") + ": No such file or directory");
  testing::write_bytes(folder.file("jpeg"), testing::to_bytes("\xFF\xD8\xFF\xE0 and so on"));
  const auto other = open_packed_file(folder.file("jpeg"));
  EXPECT_EQ(other.status().code(), StatusCode::kCorrupt);
  EXPECT_TRUE(
      other.status().message().starts_with(folder.file("jpeg") + ": not a packed model file"))
      << other.status().message();
}

TEST(PackedFile, NotesAreOptionalAndNothingElseChanges) {
  const PackedNotes notes = {{"conversion.head", "Detect \"x\"\n"}, {"other", ""}};
  const Model model = testing::small_model();
  const auto plain = serialize_packed(model), noted = serialize_packed(model, notes);
  ASSERT_OK(plain);
  ASSERT_OK(noted);
  EXPECT_EQ(read_packed_notes(*noted), notes);
  EXPECT_TRUE(read_packed_notes(*plain).empty());
  const auto opened = open_packed_bytes(*noted);
  ASSERT_OK(opened);
  EXPECT_EQ(serialize_packed(**opened).value(), *plain);
  EXPECT_EQ(serialize_packed(model, {{"yolocu.extra", ""}}).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace yolocu
