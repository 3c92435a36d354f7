#include "apps/arguments.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

// All of `text` as a number, independent of locale.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> parse_extent(std::string_view text) {
  constexpr int64_t kMaxExtent = 65536;
  const auto value = parse_number<int64_t>(text);
  return value && *value >= 1 && *value <= kMaxExtent ? value : std::nullopt;
}

std::string joined(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Result<InputSize> parse_input_size(const std::string& text) {
  const size_t x = text.find('x');
  const std::string_view all(text);
  const auto width = parse_extent(all.substr(0, x));
  const auto height = x == std::string::npos ? width : parse_extent(all.substr(x + 1));
  if (!width || !height) {
    return invalid_argument(str_cat("'", text, "' is not a size such as 640 or 1280x736"));
  }
  return InputSize{*width, *height};
}

Result<double> parse_fraction(const std::string& text) {
  const auto value = parse_number<double>(text);
  // Written so that NaN fails.
  if (!value || !(*value >= 0.0 && *value <= 1.0)) {
    return invalid_argument(str_cat("'", text, "' is not a number in 0..1"));
  }
  return *value;
}

namespace {

Result<int64_t> parse_count_from(int64_t least, const std::string& text) {
  constexpr int64_t kMaxCount = 1000000;
  const auto value = parse_number<int64_t>(text);
  if (!value || *value < least || *value > kMaxCount) {
    return invalid_argument(
        str_cat("'", text, "' is not a whole number in ", least, "..", kMaxCount));
  }
  return *value;
}

}  // namespace

Result<int64_t> parse_count(const std::string& text) {
  return parse_count_from(1, text);
}

Result<int64_t> parse_count_or_none(const std::string& text) {
  return parse_count_from(0, text);
}

Result<std::optional<int64_t>> parse_keep(const std::string& text) {
  if (text == "auto") return std::optional<int64_t>();
  const auto count = parse_count_from(0, text);
  if (count.ok()) return std::optional<int64_t>(*count);
  return invalid_argument(count.status().message() + ", nor auto");
}

Result<int64_t> parse_seed(const std::string& text) {
  const auto value = parse_number<int64_t>(text);
  if (value && *value >= 0) return *value;
  return invalid_argument(str_cat("'", text, "' is not a whole number from 0"));
}

Result<DType> parse_weight_dtype(const std::string& text) {
  if (text == "fp16") return DType::kF16;
  if (text == "fp32") return DType::kF32;
  return invalid_argument(str_cat("'", text, "' is neither fp16 nor fp32"));
}

Result<HeadBranch> parse_branch(const std::string& text) {
  if (text == "main") return HeadBranch::kMain;
  if (text == "aux") return HeadBranch::kAuxiliary;
  return invalid_argument(str_cat("'", text, "' is neither main nor aux"));
}

namespace {

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

// Letters to insert, delete or replace to make one of the other, whatever their case: Levenshtein's
// distance, row by row.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

// Up to three names that `typed` may have been meant to be, the nearest first.
std::vector<std::string> nearest_names(const std::string& typed,
                                       std::span<const std::string> names) {
  constexpr size_t kMostNames = 3;
  const size_t most_edits = 1 + typed.size() / 4;
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& name : names) {
    const size_t edits = edit_distance(typed, name);
    if (edits <= most_edits && edits < name.size()) near.emplace_back(edits, name);
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> nearest;
  for (size_t i = 0; i < std::min(near.size(), kMostNames); ++i) nearest.push_back(near[i].second);
  return nearest;
}

Status unknown_class(const std::string& item, std::span<const std::string> class_names) {
  const std::string cause = str_cat("no class '", item, "'; ");
  const std::vector<std::string> nearest = nearest_names(item, class_names);
  const bool is_number = parse_number<int64_t>(item).has_value();
  if (!is_number && !nearest.empty())
    return invalid_argument(cause + "nearest: " + joined(nearest));
  return invalid_argument(
      str_cat(cause, "valid are 0..", class_names.size() - 1, " or: ", joined(class_names)));
}

}  // namespace

Result<std::vector<int64_t>> parse_classes(const std::string& text,
                                           std::span<const std::string> class_names) {
  std::vector<int64_t> classes;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    begin = end + 1;
    const auto named = std::find(class_names.begin(), class_names.end(), item);
    const auto number = named != class_names.end() ? std::optional(named - class_names.begin())
                                                   : parse_number<int64_t>(item);
    if (!number || *number < 0 || *number >= static_cast<int64_t>(class_names.size())) {
      return unknown_class(item, class_names);
    }
    classes.push_back(*number);
  }
  return classes;
}

}  // namespace yolocu
