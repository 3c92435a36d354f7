// The files of the source tree that the structure tests look at.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace yolocu::testing {

struct TreeFile {
  std::string path;  // from the root, with '/'
  std::vector<std::string> lines;
};

// C++ and CUDA sources, CMake files, scripts and Markdown under the project's folders and in the
// root itself, by path. Build folders and unknown folders are not searched.
std::vector<TreeFile> read_tree(const std::string& root);

// "cpp" of "a/b.cpp"; empty without a dot in the file name.
std::string extension_of(const std::string& path);

// "path:12: text" for the line with this index.
std::string violation(const TreeFile& file, size_t line_index, const std::string& text);

}  // namespace yolocu::testing
