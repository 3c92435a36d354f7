#include "tests/structure/tree_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace yolocu::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 8> kFolders = {"apps",    "bench", "cmake",   "engine",
                                                      "kernels", "tests", "weights", ".ci"};
constexpr std::array<std::string_view, 10> kExtensions = {"h",   "cpp",   "c",  "cu", "cuh",
                                                          "inc", "cmake", "sh", "md", "in"};
constexpr std::array<std::string_view, 4> kNames = {"CMakeLists.txt", "quickstart", "check", "run"};

template <size_t n>
bool contains(const std::array<std::string_view, n>& values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool is_text(const fs::path& path) {
  return contains(kExtensions, extension_of(path.string())) ||
         contains(kNames, path.filename().string());
}

TreeFile read_file(const fs::path& root, const fs::path& path) {
  TreeFile file{fs::relative(path, root).generic_string(), {}};
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) file.lines.push_back(line);
  return file;
}

}  // namespace

std::vector<TreeFile> read_tree(const std::string& root) {
  std::vector<TreeFile> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (entry.is_regular_file() && is_text(entry.path())) {
      files.push_back(read_file(root, entry.path()));
    }
    if (!entry.is_directory() || !contains(kFolders, entry.path().filename().string())) continue;
    for (const fs::directory_entry& inner : fs::recursive_directory_iterator(entry.path())) {
      if (inner.is_regular_file() && is_text(inner.path())) {
        files.push_back(read_file(root, inner.path()));
      }
    }
  }
  std::sort(files.begin(), files.end(),
            [](const TreeFile& a, const TreeFile& b) { return a.path < b.path; });
  return files;
}

std::string extension_of(const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  return extension.empty() ? "" : extension.substr(1);
}

std::string violation(const TreeFile& file, size_t line_index, const std::string& text) {
  return file.path + ":" + std::to_string(line_index + 1) + ": " + text;
}

}  // namespace yolocu::testing
