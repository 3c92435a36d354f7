#include "tests/support/test_support.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace yolocu::testing {

std::string shared_dir() {
  return YOLOCU_SHARED_DIR;
}
std::string data_dir() {
  return YOLOCU_SOURCE_DIR "/tests/data";
}
std::string source_dir() {
  return YOLOCU_SOURCE_DIR;
}

bool file_exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "yolocu-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::byte> read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << "cannot read " << path;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void write_bytes(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(out) << "cannot write " << path;
}

::testing::AssertionResult all_close(std::span<const float> actual, std::span<const float> expected,
                                     double absolute, double relative) {
  if (actual.size() != expected.size()) {
    return ::testing::AssertionFailure()
           << actual.size() << " elements, expected " << expected.size();
  }
  for (size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(double{actual[i]} - double{expected[i]});
    const double tolerance = absolute + relative * std::abs(double{expected[i]});
    if (!(difference <= tolerance) || std::isinf(difference)) {
      return ::testing::AssertionFailure() << "element " << i << " is " << actual[i]
                                           << ", expected " << expected[i] << " +- " << tolerance;
    }
  }
  return ::testing::AssertionSuccess();
}

void expect_refused(const Status& status, StatusCode code, const std::string& fragment) {
  EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(code)) << status.message();
  EXPECT_NE(status.message().find(fragment), std::string::npos)
      << "expected '" << fragment << "' in: " << status.message();
}

std::vector<float> random_integers(size_t count, int range, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_int_distribution<int> pick(-range, range);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(pick(engine));
  return values;
}

std::vector<float> random_floats(size_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> pick(-1.0f, 1.0f);
  std::vector<float> values(count);
  for (float& value : values) value = pick(engine);
  return values;
}

}  // namespace yolocu::testing
