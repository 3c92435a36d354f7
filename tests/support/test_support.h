// What tests share: comparators, temporary folders, optional reference data.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "yolocu/status.h"

namespace yolocu::testing {

// Folder of the optional reference data, and of tests/data.
std::string shared_dir();
std::string data_dir();
// Root of the source tree.
std::string source_dir();

bool file_exists(const std::string& path);

// A folder that is removed with its contents at the end of the scope.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The whole file; fails the test (and returns nothing) if it cannot be read.
std::vector<std::byte> read_bytes(const std::string& path);
void write_bytes(const std::string& path, std::span<const std::byte> bytes);

// |actual - expected| <= absolute + relative * |expected| for every element. NaN is close to
// nothing; sizes must match. The message has index, both values and the tolerance.
::testing::AssertionResult all_close(std::span<const float> actual, std::span<const float> expected,
                                     double absolute, double relative);

// `status` is an error of `code` whose message has `fragment` in it.
void expect_refused(const Status& status, StatusCode code, const std::string& fragment);

// Small reproducible numbers for tests: integers in [-range, range] as floats.
std::vector<float> random_integers(size_t count, int range, uint64_t seed);
// Uniform in [-1, 1).
std::vector<float> random_floats(size_t count, uint64_t seed);

}  // namespace yolocu::testing

// Skips the test, with a message, where a path of the optional reference data is absent.
#define YOLOCU_REQUIRE_SHARED(relative_path)                                                  \
  do {                                                                                        \
    const std::string yolocu_path_ = ::yolocu::testing::shared_dir() + "/" + (relative_path); \
    if (!::yolocu::testing::file_exists(yolocu_path_))                                        \
      GTEST_SKIP() << "optional reference data is absent: " << yolocu_path_;                  \
  } while (false)

// ok() or the status's message in the failure.
#define ASSERT_OK(expression)                                                            \
  do {                                                                                   \
    const auto& yolocu_outcome_ = (expression);                                          \
    ASSERT_TRUE(yolocu_outcome_.ok()) << ::yolocu::testing::message_of(yolocu_outcome_); \
  } while (false)

#define EXPECT_OK(expression)                                                            \
  do {                                                                                   \
    const auto& yolocu_outcome_ = (expression);                                          \
    EXPECT_TRUE(yolocu_outcome_.ok()) << ::yolocu::testing::message_of(yolocu_outcome_); \
  } while (false)

namespace yolocu::testing {
inline std::string message_of(const Status& status) {
  return status.message();
}
template <typename T>
std::string message_of(const Result<T>& result) {
  return result.status().message();
}
}  // namespace yolocu::testing
