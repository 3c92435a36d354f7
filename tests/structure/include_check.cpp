// The direction of dependencies, read from the #include lines.
#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "tests/structure/tree_check.h"
#include "tests/structure/tree_files.h"

namespace yolocu::testing {
namespace {

namespace fs = std::filesystem;

// Parts of the tree, and what each may include besides itself.
const std::map<std::string, std::set<std::string>>& allowed_includes() {
  static const std::map<std::string, std::set<std::string>> allowed = {
      {"base", {}},
      {"format", {"base"}},
      {"import", {"format", "base"}},
      {"export", {"format", "base"}},
      {"kernels", {"base"}},
      {"engine", {"kernels", "format", "base"}},
      {"apps", {"engine", "import", "export", "format", "base"}},
      {"tests", {"engine", "import", "export", "format", "kernels", "base"}},
      {"bench", {"engine", "import", "export", "format", "kernels", "base"}},
  };
  return allowed;
}

// The part that a path belongs to; empty for files outside all parts.
std::string part_of(const std::string& path) {
  static const std::pair<const char*, const char*> prefixes[] = {
      {"engine/base/", "base"},      {"engine/include/yolocu/status.h", "base"},
      {"engine/", "engine"},         {"weights/format/", "format"},
      {"weights/import/", "import"}, {"weights/export/", "export"},
      {"kernels/", "kernels"},       {"apps/", "apps"},
      {"tests/", "tests"},           {"bench/", "bench"},
  };
  for (const auto& [prefix, part] : prefixes) {
    if (path.starts_with(prefix)) return part;
  }
  return "";
}

// The file of the tree that `target` names, from the root; empty if there is none.
std::string resolve(const fs::path& root, const std::string& includer, const std::string& target) {
  const fs::path candidates[] = {fs::path(target), fs::path("engine/include") / target,
                                 fs::path(includer).parent_path() / target};
  for (const fs::path& candidate : candidates) {
    if (fs::is_regular_file(root / candidate)) return candidate.lexically_normal().generic_string();
  }
  return "";
}

bool may_include(const std::string& includer, const std::string& target) {
  const std::string from = part_of(includer), to = part_of(target);
  if (from == to) return true;
  if (to == "apps") {
    return (from == "tests" || from == "bench") &&
           (target == "apps/npy.h" || includer.starts_with("tests/apps/"));
  }
  if (to == "bench") return includer.starts_with("tests/bench/");
  return allowed_includes().at(from).contains(to);
}

bool is_device_header(const std::string& header) {
  return header.starts_with("cuda");
}

void check_line(const fs::path& root, const TreeFile& file, size_t i, Violations& found) {
  static const std::regex pattern(R"(^\s*#\s*include\s*(["<])([^">]+)[">])");
  std::smatch match;
  if (!std::regex_search(file.lines[i], match, pattern)) return;
  const std::string from = part_of(file.path), name = match[2];
  if (match[1] == "<") {
    const bool hostly = from == "base" || from == "format" || from == "import" || from == "export";
    if (hostly && is_device_header(name)) {
      found.push_back(violation(file, i, from + " must not include <" + name + ">"));
    }
    return;
  }
  const std::string target = resolve(root, file.path, name);
  if (target.empty()) {
    found.push_back(violation(file, i, "\"" + name + "\" is no file of the tree"));
  } else if (!may_include(file.path, target)) {
    found.push_back(violation(file, i, from + " must not include " + target));
  }
}

}  // namespace

Violations check_includes(const std::string& root) {
  static const std::set<std::string> sources = {"h", "c", "cpp", "cu", "cuh", "inc"};
  Violations found;
  for (const TreeFile& file : read_tree(root)) {
    if (!sources.contains(extension_of(file.path))) continue;
    if (part_of(file.path).empty()) {
      found.push_back(file.path + ": belongs to no part of the tree");
      continue;
    }
    for (size_t i = 0; i < file.lines.size(); ++i) check_line(root, file, i, found);
  }
  return found;
}

}  // namespace yolocu::testing
