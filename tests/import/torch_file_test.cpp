#include "weights/import/torch_file.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/import/torch_builder.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using namespace testing;  // NOLINT: builders of files

const std::string kSixFloats = raw_elements<float>({0, 1, 2, 3, 4, 5});

std::string six_floats() {
  return pickled_storage("FloatStorage", "0", 6);
}

// A tensor's values, which outlive the file.
struct LoadedTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
  DType source_dtype;
};

// The one tensor that `object` pickles, over `storages`.
Result<LoadedTensor> read_tensor(const std::string& object,
                                 const std::vector<std::pair<std::string, std::string>>& storages) {
  const auto bytes = torch_file(object, storages);
  auto file = TorchFile::open(bytes);
  if (!file.ok()) return file.status();
  auto tensor = file->tensor(file->root());
  if (!tensor.ok()) return tensor.status();
  return LoadedTensor{(*tensor)->shape, (*tensor)->values(), (*tensor)->source_dtype};
}

Result<LoadedTensor> read_view(int64_t offset, const std::vector<int64_t>& shape,
                               const std::vector<int64_t>& strides) {
  return read_tensor(pickled_tensor(six_floats(), offset, shape, strides), {{"0", kSixFloats}});
}

void expect_view(int64_t offset, const std::vector<int64_t>& shape,
                 const std::vector<int64_t>& strides, const std::vector<float>& values) {
  const auto tensor = read_view(offset, shape, strides);
  ASSERT_OK(tensor);
  EXPECT_EQ(tensor->shape, shape);
  EXPECT_EQ(tensor->values, values);
}

void expect_refused(const Result<LoadedTensor>& result, StatusCode code,
                    const std::string& fragment) {
  testing::expect_refused(result.status(), code, fragment);
}

TEST(TorchFile, DenseAndStridedViews) {
  expect_view(0, {2, 3}, {3, 1}, {0, 1, 2, 3, 4, 5});
  expect_view(0, {3, 2}, {1, 3}, {0, 3, 1, 4, 2, 5});  // transposed
  expect_view(2, {2, 2}, {2, 1}, {2, 3, 4, 5});
  expect_view(1, {3}, {2}, {1, 3, 5});
  expect_view(0, {2, 3, 1}, {1, 2, 1}, {0, 2, 4, 1, 3, 5});
  expect_view(4, {2, 3}, {1, 0}, {4, 4, 4, 5, 5, 5});              // expanded
  expect_view(0, {1, 2, 1, 3}, {6, 1, 6, 2}, {0, 2, 4, 1, 3, 5});  // channels last, 1x2x1x3
  expect_view(0, {2, 2, 2}, {2, 1, 2}, {0, 2, 1, 3, 2, 4, 3, 5});  // overlapping
}

TEST(TorchFile, ScalarsAndEmptyTensors) {
  expect_view(5, {}, {}, {5});
  expect_view(0, {0}, {1}, {});
  expect_view(6, {0, 4}, {4, 1}, {});
  expect_view(0, {3, 0, 2}, {1 << 20, 1, 1}, {});
  const auto empty =
      read_tensor(pickled_tensor(pickled_storage("HalfStorage", "9", 0), 0, {0}, {1}), {{"9", ""}});
  ASSERT_OK(empty);
  EXPECT_TRUE(empty->values.empty());
}

// The stride of an extent of one is never used, and PyTorch stores any number there.
TEST(TorchFile, StridesOfSingleExtentsDoNotMatter) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  expect_view(2, {1, 3, 1}, {kHuge, 1, kHuge}, {2, 3, 4});
  expect_view(3, {1}, {kHuge}, {3});
  expect_view(3, {1, 1}, {kHuge, kHuge}, {3});
}

TEST(TorchFile, ElementTypes) {
  struct Case {
    const char* type;
    DType dtype;
    std::string raw;
    std::vector<float> values;
  };
  const Case cases[] = {
      {"FloatStorage", DType::kF32, raw_elements<float>({1.25f, -3.0f}), {1.25f, -3.0f}},
      {"DoubleStorage", DType::kF64, raw_elements<double>({0.1, -2.5}), {0.1f, -2.5f}},
      {"HalfStorage", DType::kF16, raw_elements<uint16_t>({0x3C00, 0xC100}), {1.0f, -2.5f}},
      {"BFloat16Storage", DType::kBF16, raw_elements<uint16_t>({0x3F80, 0xC020}), {1.0f, -2.5f}},
      {"LongStorage", DType::kI64, raw_elements<int64_t>({-7, 1 << 20}), {-7.0f, 1048576.0f}},
      {"IntStorage", DType::kI32, raw_elements<int32_t>({-7, 70000}), {-7.0f, 70000.0f}},
      {"ShortStorage", DType::kI16, raw_elements<int16_t>({-7, 300}), {-7.0f, 300.0f}},
      {"CharStorage", DType::kI8, raw_elements<int8_t>({-7, 127}), {-7.0f, 127.0f}},
      {"ByteStorage", DType::kU8, raw_elements<uint8_t>({249, 1}), {249.0f, 1.0f}},
      {"BoolStorage", DType::kU8, raw_elements<uint8_t>({1, 0}), {1.0f, 0.0f}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.type);
    const auto tensor =
        read_tensor(pickled_tensor(pickled_storage(c.type, "k", 2), 0, {2}, {1}), {{"k", c.raw}});
    ASSERT_OK(tensor);
    EXPECT_EQ(tensor->values, c.values);
    EXPECT_EQ(tensor->source_dtype, c.dtype);
  }
}

TEST(TorchFile, Parameters) {
  const auto tensor = read_tensor(pickled_parameter(pickled_tensor(six_floats(), 1, {2}, {1})),
                                  {{"0", kSixFloats}});
  ASSERT_OK(tensor);
  EXPECT_EQ(tensor->values, (std::vector<float>{1, 2}));
}

TEST(TorchFile, SharedTensorsAreMadeOnceAndStoragesAreShared) {
  using namespace pickled;  // NOLINT
  const std::string tensor = remember(pickled_tensor(six_floats(), 0, {6}, {1}), 0);
  const auto bytes = torch_file(list({tensor, recall(0), pickled_parameter(recall(0)),
                                      pickled_tensor(six_floats(), 3, {3}, {1})}),
                                {{"0", kSixFloats}});
  auto file = TorchFile::open(bytes);
  ASSERT_OK(file);
  std::vector<std::shared_ptr<const ImportedTensor>> tensors;
  for (const PickleRef item : file->root()->items) {
    EXPECT_TRUE(TorchFile::is_tensor(item));
    auto made = file->tensor(item);
    ASSERT_OK(made);
    tensors.push_back(*made);
  }
  EXPECT_EQ(tensors[0], tensors[1]);
  EXPECT_EQ(tensors[0], tensors[2]);
  EXPECT_EQ(tensors[3]->values(), (std::vector<float>{3, 4, 5}));
}

TEST(TorchFile, ViewsThatLeaveTheStorage) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  struct Case {
    int64_t offset;
    std::vector<int64_t> shape, strides;
    const char* fragment;
  };
  const Case cases[] = {
      {0, {7}, {1}, "leaves its storage of 6 elements"},
      {1, {6}, {1}, "size [6], strides [1], offset 1: leaves its storage"},
      {6, {}, {}, "leaves its storage"},
      {0, {2, 3}, {4, 1}, "leaves its storage"},
      {0, {2}, {6}, "leaves its storage"},
      {0, {kMax}, {kMax}, "leaves its storage"},
      {kMax, {2}, {1}, "leaves its storage"},
      {1, {2, 2}, {kMax, kMax}, "leaves its storage"},
      {0, {int64_t{1} << 32, int64_t{1} << 32}, {0, 0}, "leaves its storage"},  // 2^64 elements
      {-1, {1}, {1}, "negative"},
      {0, {-1}, {1}, "negative"},
      {0, {-1, -6}, {1, 1}, "negative"},
      {5, {2}, {-1}, "negative"},
      {0, {6}, {}, "as many strides as sizes"},
      {0, std::vector<int64_t>(17, 1), std::vector<int64_t>(17, 1), "at most 16"},
      {0, std::vector<int64_t>(100, 1), std::vector<int64_t>(100, 1), "at most 64"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.fragment);
    expect_refused(read_view(c.offset, c.shape, c.strides), StatusCode::kCorrupt, c.fragment);
  }
}

TEST(TorchFile, StridesOfZeroCannotExplode) {
  expect_refused(read_view(0, {int64_t{1} << 40}, {0}), StatusCode::kResourceExhausted,
                 "tensor of 1099511627776 elements");
  // Each of them alone is allowed.
  using namespace pickled;  // NOLINT
  std::vector<std::string> tensors(100, pickled_tensor(six_floats(), 0, {1 << 18}, {0}));
  const auto bytes = torch_file(list(tensors), {{"0", kSixFloats}});
  auto file = TorchFile::open(bytes);
  ASSERT_OK(file);
  size_t made = 0;
  for (const PickleRef item : file->root()->items) made += file->tensor(item).ok() ? 1 : 0;
  EXPECT_EQ(made, 4u);  // 2^20 elements are free
}

TEST(TorchFile, StoragesThatAreNotWhatTheyClaim) {
  const auto tensor_of = [](const std::string& type, int64_t elements) {
    return pickled_tensor(pickled_storage(type, "0", elements), 0, {1}, {1});
  };
  const std::vector<std::pair<std::string, std::string>> storages = {{"0", kSixFloats}};
  expect_refused(read_tensor(tensor_of("FloatStorage", 7), storages), StatusCode::kCorrupt,
                 "'best/data/0': expected 28 bytes for 7 elements of 'torch FloatStorage', got 24");
  expect_refused(read_tensor(tensor_of("FloatStorage", 5), storages), StatusCode::kCorrupt,
                 "got 24");
  expect_refused(read_tensor(tensor_of("DoubleStorage", 6), storages), StatusCode::kCorrupt,
                 "expected 48 bytes");
  expect_refused(read_tensor(tensor_of("FloatStorage", -1), storages), StatusCode::kCorrupt,
                 "not possible");
  expect_refused(read_tensor(tensor_of("LongStorage", int64_t{1} << 61), storages),
                 StatusCode::kCorrupt, "not possible");
  expect_refused(read_tensor(tensor_of("FloatStorage", 6), {}), StatusCode::kCorrupt,
                 "no such member");
  expect_refused(read_tensor(tensor_of("Size", 6), storages), StatusCode::kUnsupported,
                 "element type 'torch Size' is not known");
}

TEST(TorchFile, OneKeyHasOneType) {
  using namespace pickled;  // NOLINT
  const auto bytes =
      torch_file(list({pickled_tensor(six_floats(), 0, {6}, {1}),
                       pickled_tensor(pickled_storage("IntStorage", "0", 6), 0, {6}, {1})}),
                 {{"0", kSixFloats}});
  auto file = TorchFile::open(bytes);
  ASSERT_OK(file);
  EXPECT_TRUE(file->tensor(file->root()->items[0]).ok());
  EXPECT_EQ(file->tensor(file->root()->items[1]).status().message(),
            "storage '0' has two types or sizes");
}

TEST(TorchFile, MalformedTensors) {
  using namespace pickled;  // NOLINT
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string size = integers({1});
  const std::vector<std::pair<std::string, std::string>> storages = {{"0", kSixFloats}};
  const std::pair<std::string, const char*> cases[] = {
      {reduce(rebuild, {}), "4 or more arguments, got 0"},
      {reduce(rebuild, {six_floats(), integer(0), size}), "got 3"},
      {reduce(rebuild, {kNone, integer(0), size, size}), "expected a storage"},
      {reduce(rebuild, {kNone + "Q", integer(0), size, size}), "expected a storage"},
      {reduce(rebuild, {tuple({text("storage")}) + "Q", integer(0), size, size}),
       "expected a storage"},
      {reduce(rebuild, {tuple({text("module"), global("torch", "FloatStorage"), text("0"),
                               text("cpu"), integer(6)}) +
                            "Q",
                        integer(0), size, size}),
       "expected a storage"},
      {reduce(rebuild, {tuple({text("storage"), text("torch FloatStorage"), text("0"), text("cpu"),
                               integer(6)}) +
                            "Q",
                        integer(0), size, size}),
       "expected a storage"},
      {reduce(rebuild, {six_floats(), kNone, size, size}), "offset is not an integer"},
      {reduce(rebuild, {six_floats(), integer(0), list({integer(1)}), size}),
       "size is not a tuple"},
      {reduce(rebuild, {six_floats(), integer(0), size, tuple({real(1)})}),
       "stride is not an integer"},
      {reduce(global("torch._utils", "_rebuild_parameter"), {}), "parameter without a tensor"},
      {reduce(global("torch._utils", "_rebuild_parameter"), {kNone}), "expected a tensor"},
      {kNone, "expected a tensor"},
  };
  for (const auto& [object, fragment] : cases) {
    expect_refused(read_tensor(object, storages), StatusCode::kCorrupt, fragment);
  }
}

TEST(TorchFile, ContainersOfOtherForms) {
  const auto refusal = [](const std::vector<std::byte>& bytes) {
    return TorchFile::open(bytes).status();
  };
  const std::string pickle = pickled::whole("N");
  EXPECT_TRUE(refusal(build_zip({{"x/data.pkl", pickle}})).ok());  // older files have no byteorder
  EXPECT_TRUE(refusal(build_zip({{"x/y z/data.pkl", pickle}}, ZipMethod::kDeflated)).ok());

  const Status missing = refusal(build_zip({{"x/data/0", "1"}, {"data.pkl", pickle}}));
  EXPECT_EQ(missing.code(), StatusCode::kCorrupt);
  EXPECT_EQ(
      missing.message(),
      "not a PyTorch checkpoint: expected one member <top>/data.pkl, found 0 among 2 members");
  EXPECT_NE(refusal(build_zip({{"x/data.pkl", pickle}, {"y/data.pkl", pickle}}))
                .message()
                .find("found 2"),
            std::string::npos);

  const Status big = refusal(build_zip({{"x/data.pkl", pickle}, {"x/byteorder", "big"}}));
  EXPECT_EQ(big.code(), StatusCode::kUnsupported);
  EXPECT_EQ(big.message(), "byte order 'big', expected 'little'");

  const Status script = refusal(build_zip({{"x/data.pkl", pickle}, {"x/constants.pkl", pickle}}));
  EXPECT_EQ(script.code(), StatusCode::kUnsupported);
  EXPECT_NE(script.message().find("TorchScript"), std::string::npos);

  EXPECT_EQ(refusal(pickled::as_bytes("not a file of torch")).code(), StatusCode::kCorrupt);
  EXPECT_EQ(refusal({}).code(), StatusCode::kCorrupt);
}

TEST(TorchFile, RefusesWhatRuns) {
  const auto bytes =
      torch_file(pickled::reduce(pickled::global("os", "system"), {pickled::text("id")}), {});
  const auto file = TorchFile::open(bytes);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(file.status().message().find("refuses global 'os system' at byte 2"),
            std::string::npos);
}

TEST(TorchFile, DeflatedContainers) {
  const std::string zeros(6 * sizeof(float), '\0');
  const auto bytes =
      torch_file(pickled_tensor(six_floats(), 0, {6}, {1}), {{"0", zeros}}, ZipMethod::kDeflated);
  auto file = TorchFile::open(bytes);
  ASSERT_OK(file);
  const auto tensor = file->tensor(file->root());
  ASSERT_OK(tensor);
  EXPECT_EQ((*tensor)->values(), std::vector<float>(6, 0.0f));
}

// 128 MiB of zeros in 130 kB: no storage of a checkpoint shrinks like this.
TEST(TorchFile, DeflatedBombsAreRefused) {
  constexpr int64_t kElements = int64_t{1} << 27;
  const std::string zeros(kElements, '\0');
  const auto bytes =
      torch_file(pickled_tensor(pickled_storage("ByteStorage", "0", kElements), 0, {1}, {1}),
                 {{"0", zeros}}, ZipMethod::kDeflated);
  ASSERT_LT(bytes.size(), size_t{1} << 20);
  auto file = TorchFile::open(bytes);
  ASSERT_OK(file);
  EXPECT_EQ(file->tensor(file->root()).status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace yolocu
