// Paths that documents name, lengths of files, and paths of machines.
#include <array>
#include <cctype>
#include <filesystem>
#include <functional>
#include <regex>
#include <set>

#include "tests/structure/tree_check.h"
#include "tests/structure/tree_files.h"

namespace yolocu::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostLines = 400;

using Visit = std::function<void(size_t line_index, const std::string& token)>;

// Calls visit for everything in backticks and every link target outside code blocks.
void for_each_token(const TreeFile& file, const Visit& visit) {
  static const std::regex pattern(R"(`([^`]+)`|\]\(([^)\s]+)\))");
  bool in_code_block = false;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string& line = file.lines[i];
    if (line.find_first_not_of(' ') != std::string::npos &&
        line.substr(line.find_first_not_of(' ')).starts_with("```")) {
      in_code_block = !in_code_block;
    }
    if (in_code_block) continue;
    for (std::sregex_iterator it(line.begin(), line.end(), pattern), end; it != end; ++it) {
      visit(i, (*it)[1].matched ? (*it)[1].str() : (*it)[2].str());
    }
  }
}

bool has_known_extension(const std::string& token) {
  static const std::set<std::string> known = {"h",     "c",  "cpp", "cu",  "cuh", "inc",
                                              "cmake", "sh", "md",  "txt", "in"};
  return known.contains(extension_of(token));
}

// True if `token` claims to be a path of the tree.
bool is_path(const fs::path& root, const fs::path& folder, const std::string& token) {
  static const std::regex plain(R"([A-Za-z0-9_.\-][A-Za-z0-9_./+\-]*)");
  if (!std::regex_match(token, plain) || token.starts_with("build/")) return false;
  if (token.starts_with("http") || token.starts_with("-")) return false;
  if (has_known_extension(token)) return true;
  const size_t slash = token.find('/');
  if (slash == std::string::npos) return false;
  if (token.starts_with("./") || token.starts_with("../")) return true;
  const std::string first = token.substr(0, slash);
  return fs::is_directory(root / first) || fs::is_directory(folder / first);
}

// A name without folders may be that of a file anywhere in the part that the document describes.
bool exists(const fs::path& root, const fs::path& folder, const std::string& token) {
  if (fs::exists(root / token) || fs::exists(folder / token)) return true;
  if (fs::exists(root / "engine/include" / token)) return true;
  if (token.find('/') != std::string::npos || folder == root) return false;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename() == token) return true;
  }
  return false;
}

bool ends_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '}' ||
         c == ')' || c == '-';
}

// True if `line` has the absolute path: its first slash must not continue a relative one.
bool names_machine_path(const std::string& line, const std::string& path) {
  for (size_t at = line.find(path); at != std::string::npos; at = line.find(path, at + 1)) {
    if (at == 0 || !ends_word(line[at - 1])) return true;
  }
  return false;
}

}  // namespace

Violations check_documents(const std::string& root) {
  Violations found;
  for (const TreeFile& file : read_tree(root)) {
    const fs::path path = fs::path(root) / file.path;
    if (path.filename() != "README.md" && path.filename() != "FORMAT.md") continue;
    for_each_token(file, [&](size_t i, std::string token) {
      token = token.substr(0, token.find('#'));  // a link into a document
      const fs::path folder = path.parent_path();
      if (is_path(root, folder, token) && !exists(root, folder, token)) {
        found.push_back(violation(file, i, "names " + token + ", which does not exist"));
      }
    });
  }
  return found;
}

Violations check_lengths(const std::string& root) {
  Violations found;
  for (const TreeFile& file : read_tree(root)) {
    if (extension_of(file.path) == "md" || file.lines.size() <= kMostLines) continue;
    found.push_back(file.path + ": has " + std::to_string(file.lines.size()) + " lines, at most " +
                    std::to_string(kMostLines) + " are allowed");
  }
  return found;
}

Violations check_machine_paths(const std::string& root) {
  // Written in pieces, or this file would be found.
  static const std::array<std::string, 4> everywhere = {
      std::string("/wo") + "rk/", std::string("/ro") + "ot/", std::string("/ho") + "me/",
      std::string("/tm") + "p/"};
  Violations found;
  for (const TreeFile& file : read_tree(root)) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      for (const std::string& path : everywhere) {
        // Tests may name a folder for files that come and go, if only to be refused.
        if (path == everywhere.back() && file.path.starts_with("tests/")) continue;
        if (names_machine_path(file.lines[i], path)) {
          found.push_back(violation(file, i, "names the machine path " + path));
        }
      }
    }
  }
  return found;
}

}  // namespace yolocu::testing
