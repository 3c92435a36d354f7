// What the tests of the program share: files to give it, and what its errors look like.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "apps/embedded_model.h"
#include "apps/image_io.h"
#include "apps/npy.h"
#include "tests/apps/program.h"
#include "tests/support/test_support.h"

namespace yolocu::testing {

using Words = std::vector<std::string>;

inline int64_t line_count(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::string command_text(const Words& words) {
  std::string text = "yolocu";
  for (const std::string& word : words) text += " " + word;
  return text;
}

// One line on stderr that begins as all errors do, nothing on stdout.
inline void expect_one_line_error(const Words& words, int exit_code, const Words& parts) {
  const ProgramResult result = run_yolocu(words);
  EXPECT_EQ(result.exit_code, exit_code) << command_text(words) << "\n" << result.err;
  EXPECT_EQ(result.out, "") << command_text(words);
  EXPECT_EQ(line_count(result.err), 1) << command_text(words) << "\n" << result.err;
  EXPECT_EQ(result.err.rfind("yolocu", 0), 0u) << result.err;
  for (const std::string& part : parts) {
    EXPECT_TRUE(contains(result.err, part)) << "no '" << part << "' in: " << result.err;
  }
}

inline std::string sample() {
  return source_dir() + "/weights/demo/sample.jpg";
}

// Files of one test in a folder of its own.
class CliTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name) const { return folder_.file(name); }

  std::string text_file(const std::string& name, const std::string& text) const {
    write_bytes(file(name), std::as_bytes(std::span(text)));
    return file(name);
  }

  // A picture without objects.
  std::string grey_picture(const std::string& name) const {
    std::filesystem::create_directories(std::filesystem::path(file(name)).parent_path());
    const Image image{std::vector<uint8_t>(64 * 48 * 3, 128), 64, 48};
    EXPECT_TRUE(write_image(file(name), image).ok());
    return file(name);
  }

  std::string model_file() const {
    write_bytes(file("model.yolocu"), embedded_model());
    return file("model.yolocu");
  }

  std::string tensor(const std::string& name, const std::vector<int64_t>& shape) const {
    size_t count = 1;
    for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
    std::vector<float> values = random_floats(count, 7);
    for (float& value : values) value = (value + 1) / 2;
    EXPECT_TRUE(write_npy(file(name), shape, values).ok());
    return file(name);
  }

  TempDir folder_;
};

}  // namespace yolocu::testing
