#include "apps/inputs.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <memory>

namespace yolocu {
namespace {

namespace fs = std::filesystem;

std::string lower_case_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool has_picture_extension(const fs::path& path) {
  constexpr std::array<const char*, 5> kExtensions = {".jpg", ".jpeg", ".png", ".bmp", ".gif"};
  const std::string extension = lower_case_extension(path);
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

Result<std::vector<std::string>> pictures_in_folder(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  while (!error && entry != fs::directory_iterator()) {
    const fs::path& path = entry->path();
    if (has_picture_extension(path) && !is_folder(path)) paths.push_back(path.string());
    entry.increment(error);
  }
  if (error) return unavailable(folder + ": " + error.message());
  if (paths.empty())
    return not_found(folder + ": no pictures (JPEG, PNG, BMP, GIF) in this folder itself");
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<std::vector<std::string>> files_matching(const std::string& pattern) {
  glob_t matches = {};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> cleanup(&matches, globfree);
  const int outcome = glob(pattern.c_str(), 0, nullptr, &matches);  // sorts
  if (outcome == GLOB_NOSPACE) return resource_exhausted(pattern + ": out of memory");
  std::vector<std::string> paths;
  for (size_t i = 0; outcome == 0 && i < matches.gl_pathc; ++i) {
    if (!is_folder(matches.gl_pathv[i])) paths.emplace_back(matches.gl_pathv[i]);
  }
  if (paths.empty()) return not_found(pattern + ": no file matches");
  return paths;
}

std::string real_path(const fs::path& path) {
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal().string() : resolved.string();
}

}  // namespace

Result<std::vector<std::string>> expand_input(const std::string& argument) {
  if (is_folder(argument)) return pictures_in_folder(argument);
  std::error_code error;
  const bool exists = fs::exists(argument, error);
  const bool is_pattern = argument.find_first_of("*?[") != std::string::npos;
  if (!exists && is_pattern) return files_matching(argument);
  if (!exists) return not_found(argument + ": No such file or directory");
  return std::vector<std::string>{argument};
}

OutputNames::OutputNames(std::string folder, std::span<const std::string> inputs)
    : folder_(std::move(folder)) {
  for (const std::string& input : inputs) taken_.insert(real_path(input));
}

std::string OutputNames::next(const std::string& input) {
  const fs::path path(input);
  const bool png = lower_case_extension(path) == ".png";
  const std::string extension = png ? path.extension().string() : ".jpg";
  for (int64_t number = 1;; ++number) {
    const std::string suffix = number == 1 ? "" : "_" + std::to_string(number);
    const fs::path candidate = fs::path(folder_) / (path.stem().string() + suffix + extension);
    if (taken_.insert(real_path(candidate)).second) return candidate.string();
  }
}

}  // namespace yolocu
