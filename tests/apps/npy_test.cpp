#include "apps/npy.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::TempDir;

// A version 1.0 file made here, byte by byte: magic, version, header length, header, data.
std::string npy_text(const std::string& header, const std::string& data) {
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size() & 0xFF);
  text += static_cast<char>(header.size() >> 8);
  return text + header + data;
}

template <typename T>
std::string as_text(std::initializer_list<T> values) {
  std::string text(values.size() * sizeof(T), '\0');
  std::memcpy(text.data(), values.begin(), text.size());
  return text;
}

class NpyTest : public ::testing::Test {
 protected:
  Result<NpyArray> read(const std::string& text) {
    testing::write_bytes(path_, std::as_bytes(std::span(text)));
    return read_npy(path_);
  }
  TempDir folder_;
  std::string path_ = folder_.file("x.npy");
};

TEST_F(NpyTest, ReadsFloat32OfNumpy) {
  const auto array =
      read(npy_text("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n",
                    as_text<float>({1, -2, 0.5f, 4, 5, 6})));
  ASSERT_OK(array);
  EXPECT_EQ(array->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(array->values, (std::vector<float>{1, -2, 0.5f, 4, 5, 6}));
}

TEST_F(NpyTest, WidensHalfAndNarrowsDouble) {
  const auto half = read(npy_text("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }\n",
                                  as_text<uint16_t>({0x3C00, 0xC000})));
  ASSERT_OK(half);
  EXPECT_EQ(half->values, (std::vector<float>{1, -2}));
  const auto wide = read(npy_text("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }\n",
                                  as_text<double>({0.25})));
  ASSERT_OK(wide);
  EXPECT_EQ(wide->values, std::vector<float>{0.25f});
}

TEST_F(NpyTest, ScalarsAndEmptyArrays) {
  const auto scalar = read(
      npy_text("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", as_text<float>({7})));
  ASSERT_OK(scalar);
  EXPECT_TRUE(scalar->shape.empty());
  EXPECT_EQ(scalar->values, std::vector<float>{7});
  const auto empty =
      read(npy_text("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }\n", ""));
  ASSERT_OK(empty);
  EXPECT_TRUE(empty->values.empty());
}

TEST_F(NpyTest, RoundTripKeepsEveryBit) {
  const std::vector<float> values = {
      0.0f, -0.0f, 1e-45f, std::numeric_limits<float>::infinity(), std::nanf(""), 3.14159274f};
  const std::vector<int64_t> shape = {1, 2, 3, 1};
  ASSERT_OK(write_npy(path_, shape, values));
  const auto bytes = testing::read_bytes(path_);
  EXPECT_EQ((bytes.size() - values.size() * 4) % 64, 0u) << "data must be 64-byte aligned";
  const auto array = read_npy(path_);
  ASSERT_OK(array);
  EXPECT_EQ(array->shape, shape);
  ASSERT_EQ(array->values.size(), values.size());
  EXPECT_EQ(std::memcmp(array->values.data(), values.data(), values.size() * 4), 0);
}

TEST_F(NpyTest, EveryTruncationIsRefused) {
  const std::string whole = npy_text("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n",
                                     as_text<float>({1, 2, 3}));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto array = read(whole.substr(0, size));
    ASSERT_FALSE(array.ok()) << size << " bytes";
    EXPECT_EQ(array.status().message().rfind(path_, 0), 0u) << array.status().message();
  }
  EXPECT_FALSE(read(whole + "x").ok());
}

TEST_F(NpyTest, BadHeadersAreRefused) {
  const std::string data = as_text<float>({1, 2});
  const std::vector<std::string> headers = {
      "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }",
      "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }",
      "{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, x), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
      // The product overflows 64 bits to 2.
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2), }",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,",
      "{'fortran_order': False, 'shape': (2,), }",
      "",
  };
  for (const std::string& header : headers) {
    const auto array = read(npy_text(header, data));
    EXPECT_FALSE(array.ok()) << header;
  }
}

TEST_F(NpyTest, MissingFileIsNamed) {
  const auto array = read_npy(folder_.file("absent.npy"));
  ASSERT_FALSE(array.ok());
  EXPECT_EQ(array.status().code(), StatusCode::kNotFound);
  EXPECT_NE(array.status().message().find("absent.npy"), std::string::npos);
}

}  // namespace
}  // namespace yolocu
