// The tests' own tools: a comparator that lets NaN pass would make every other test worthless.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "tests/support/test_support.h"

namespace yolocu::testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

bool close(std::vector<float> actual, std::vector<float> expected, double absolute,
           double relative) {
  return bool{all_close(actual, expected, absolute, relative)};
}

TEST(AllClose, AcceptsWhatIsWithinTolerance) {
  EXPECT_TRUE(close({}, {}, 0, 0));
  EXPECT_TRUE(close({1, -2, 0}, {1, -2, 0}, 0, 0));
  EXPECT_TRUE(close({-0.0f}, {0.0f}, 0, 0));
  EXPECT_TRUE(close({1.5f}, {1}, 0.5, 0));
  EXPECT_TRUE(close({110}, {100}, 0, 0.1));
  EXPECT_TRUE(close({-110}, {-100}, 0, 0.1));
  EXPECT_TRUE(close({-111}, {-100}, 1, 0.1));
}

TEST(AllClose, RejectsWhatIsNot) {
  EXPECT_FALSE(close({1.5f}, {1}, 0.4999, 0));
  EXPECT_FALSE(close({111}, {100}, 0, 0.1));
  EXPECT_FALSE(close({1}, {-1}, 1.9, 0));
  EXPECT_FALSE(close({1, 2, 3, 4.1f}, {1, 2, 3, 4}, 0.01, 0));
  // The tolerance is of the expected value, not the actual one.
  EXPECT_FALSE(close({1000}, {0}, 0, 0.5));
}

TEST(AllClose, NanIsCloseToNothing) {
  EXPECT_FALSE(close({kNan}, {1}, 1e30, 1e30));
  EXPECT_FALSE(close({1}, {kNan}, 1e30, 1e30));
  EXPECT_FALSE(close({kNan}, {kNan}, 1e30, 1e30));
  EXPECT_FALSE(close({0, kNan}, {0, 0}, kInf, 0));
}

TEST(AllClose, InfinityIsNotCloseToNumbers) {
  EXPECT_FALSE(close({kInf}, {1}, 1e30, 1e30));
  EXPECT_FALSE(close({-kInf}, {kInf}, 1e30, 0));
  EXPECT_FALSE(close({1}, {kInf}, 0, 1e-5));
  EXPECT_FALSE(close({-kInf}, {kInf}, 0, 1e-5));
  EXPECT_FALSE(close({kInf}, {kInf}, 1e30, 0));  // a reference with infinities needs its own check
}

TEST(AllClose, SizesMustMatch) {
  EXPECT_FALSE(close({1}, {1, 1}, 9, 9));
  EXPECT_FALSE(close({1, 1}, {1}, 9, 9));
  EXPECT_FALSE(close({}, {1}, 9, 9));
}

TEST(AllClose, MessageHasIndexValuesAndTolerance) {
  const std::vector<float> actual = {1, 2.5f}, expected = {1, 2};
  const std::string message = all_close(actual, expected, 0.25, 0).message();
  EXPECT_EQ(message, "element 1 is 2.5, expected 2 +- 0.25");
}

TEST(RandomNumbers, AreReproducibleAndInRange) {
  EXPECT_EQ(random_integers(50, 3, 7), random_integers(50, 3, 7));
  EXPECT_NE(random_integers(50, 3, 7), random_integers(50, 3, 8));
  std::set<float> seen;
  for (const float value : random_integers(500, 3, 7)) seen.insert(value);
  EXPECT_EQ(seen, (std::set<float>{-3, -2, -1, 0, 1, 2, 3}));
  EXPECT_EQ(random_floats(50, 7), random_floats(50, 7));
  EXPECT_NE(random_floats(50, 7), random_floats(50, 8));
  float low = 1, high = -1;
  for (const float value : random_floats(500, 7)) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  EXPECT_GE(low, -1.0f);
  EXPECT_LT(high, 1.0f);
  EXPECT_LT(low, -0.9f);
  EXPECT_GT(high, 0.9f);
}

TEST(TempDirTest, ExistsForItsScopeOnly) {
  std::string path;
  {
    const TempDir folder, other;
    path = folder.path();
    EXPECT_NE(path, other.path());
    EXPECT_TRUE(file_exists(path));
    const std::vector<std::byte> bytes = {std::byte{0}, std::byte{255}, std::byte{10}};
    write_bytes(folder.file("f"), bytes);
    EXPECT_EQ(read_bytes(folder.file("f")), bytes);
  }
  EXPECT_FALSE(file_exists(path));
}

TEST(Folders, OfTheSourceTreeAreThere) {
  EXPECT_TRUE(file_exists(source_dir() + "/CMakeLists.txt"));
  EXPECT_EQ(data_dir(), source_dir() + "/tests/data");
}

}  // namespace
}  // namespace yolocu::testing
