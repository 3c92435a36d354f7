#include "weights/format/strict_json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

using nlohmann::json;

// Receives nlohmann's events and builds the value; returning false stops the parser. Ours rather
// than the library's because that one keeps the last of two equal keys and nests without bound.
class StrictBuilder {
 public:
  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(int64_t value) { return add(value); }
  bool number_unsigned(uint64_t value) { return add(value); }
  bool number_float(double value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(json::binary_t&) { return stop(corrupt("binary value")); }
  bool start_object(size_t) { return open(json::object()); }
  bool start_array(size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    const auto [place, fresh] = stack_.back()->emplace(name, nullptr);
    if (!fresh) return stop(corrupt("duplicate key " + quote_name(name)));
    slot_ = &place.value();
    return true;
  }

  bool parse_error(size_t position, const std::string&, const json::exception&) {
    return stop(corrupt(str_cat("not valid JSON at byte ", position)));
  }

  const Status& status() const { return status_; }
  json take() { return std::move(root_); }

 private:
  bool stop(Status status) {
    status_ = std::move(status);
    return false;
  }

  // Puts the value where the document is: the root, the end of an array or the last key's slot.
  json* place(json value) {
    if (stack_.empty()) return &(root_ = std::move(value));
    if (stack_.back()->is_array()) {
      stack_.back()->push_back(std::move(value));
      return &stack_.back()->back();
    }
    return &(*slot_ = std::move(value));
  }

  bool add(json value) {
    if (++count_ > kMaxJsonValues) {
      return stop(resource_exhausted(str_cat("more than ", kMaxJsonValues, " JSON values")));
    }
    place(std::move(value));
    return true;
  }

  bool open(json value) {
    if (static_cast<int64_t>(stack_.size()) == kMaxJsonDepth) {
      return stop(corrupt(str_cat("JSON nested deeper than ", kMaxJsonDepth)));
    }
    if (++count_ > kMaxJsonValues) {
      return stop(resource_exhausted(str_cat("more than ", kMaxJsonValues, " JSON values")));
    }
    stack_.push_back(place(std::move(value)));  // stays put: its parent grows only after close()
    return true;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  json root_;
  std::vector<json*> stack_;
  json* slot_ = nullptr;
  int64_t count_ = 0;
  Status status_;
};

const json kEmptyArray = json::array();
const json kEmptyObject = json::object();

}  // namespace

Result<json> parse_json(std::string_view text) {
  // The lexer takes a zero byte for the end of the text and would not look behind it.
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    return corrupt(str_cat("not valid JSON at byte ", zero + 1));
  }
  try {
    StrictBuilder builder;
    if (!json::sax_parse(text.begin(), text.end(), &builder)) return builder.status();
    return builder.take();
  } catch (const std::bad_alloc&) {
    return resource_exhausted("out of memory for a JSON document");
  } catch (const std::exception&) {
    return corrupt("not valid JSON");
  }
}

std::string quote_name(std::string_view name) {
  return "'" + printable(name) + "'";
}

Result<std::string> json_string(const std::string& text) {
  if (!is_utf8(text)) return invalid_argument(quote_name(text) + " is not UTF-8");
  return json(text).dump();
}

Fields::Fields(const json& value) : value_(value) {
  if (!value.is_object()) fail("expected a JSON object");
}

void Fields::fail(const std::string& message) {
  if (status_.ok()) status_ = corrupt(message);
}

void Fields::require(const Status& status, const std::string& context) {
  if (status_.ok()) status_ = status.with_context(context);
}

const json* Fields::find(std::string_view key) {
  if (!ok()) return nullptr;
  seen_.push_back(key);
  const auto place = value_.find(key);
  if (place != value_.end()) return &*place;
  fail(str_cat("'", key, "' is missing"));
  return nullptr;
}

int64_t Fields::as_integer(const json& value, std::string_view key, int64_t low, int64_t high) {
  const bool negative = value.is_number_integer() && !value.is_number_unsigned();
  if (!value.is_number_integer() ||
      (!negative && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))) {
    fail(str_cat("'", key, "': expected an integer"));
    return 0;
  }
  const auto number = value.get<int64_t>();
  if (number < low || number > high) {
    fail(str_cat("'", key, "': expected ", low, " to ", high, ", got ", number));
    return 0;
  }
  return number;
}

float Fields::as_number(const json& value, std::string_view key) {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(std::abs(number) <= double{std::numeric_limits<float>::max()})) {
    fail(str_cat("'", key, "': expected a finite fp32 number"));
    return 0;
  }
  return static_cast<float>(number);
}

std::vector<float> Fields::as_numbers(const json& value, std::string_view key) {
  if (!value.is_array()) fail(str_cat("'", key, "': expected an array of numbers"));
  std::vector<float> numbers;
  if (!ok()) return numbers;
  for (const json& item : value) numbers.push_back(as_number(item, key));
  return numbers;
}

int64_t Fields::integer(std::string_view key, int64_t low, int64_t high) {
  const json* value = find(key);
  return value == nullptr ? 0 : as_integer(*value, key, low, high);
}

float Fields::number(std::string_view key) {
  const json* value = find(key);
  return value == nullptr ? 0 : as_number(*value, key);
}

std::string Fields::text(std::string_view key) {
  const json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    fail(str_cat("'", key, "': expected a string"));
    return {};
  }
  return value->get<std::string>();
}

std::vector<int64_t> Fields::integers(std::string_view key, int64_t low, int64_t high) {
  std::vector<int64_t> numbers;
  for (const json& item : array(key)) numbers.push_back(as_integer(item, key, low, high));
  return numbers;
}

std::vector<float> Fields::numbers(std::string_view key) {
  return as_numbers(array(key), key);
}

std::vector<std::vector<float>> Fields::number_lists(std::string_view key) {
  std::vector<std::vector<float>> lists;
  for (const json& item : array(key)) lists.push_back(as_numbers(item, key));
  return lists;
}

std::vector<std::string> Fields::texts(std::string_view key) {
  std::vector<std::string> texts;
  for (const json& item : array(key)) {
    if (!item.is_string()) {
      fail(str_cat("'", key, "': expected strings"));
      return {};
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

const json& Fields::array(std::string_view key) {
  const json* value = find(key);
  if (value == nullptr) return kEmptyArray;
  if (value->is_array()) return *value;
  fail(str_cat("'", key, "': expected an array"));
  return kEmptyArray;
}

const json& Fields::object(std::string_view key) {
  const json* value = find(key);
  if (value == nullptr) return kEmptyObject;
  if (value->is_object()) return *value;
  fail(str_cat("'", key, "': expected an object"));
  return kEmptyObject;
}

Status Fields::finish() {
  if (!ok()) return status_;
  for (const auto& item : value_.items()) {
    if (std::find(seen_.begin(), seen_.end(), item.key()) == seen_.end()) {
      fail("unknown field " + quote_name(item.key()));
    }
  }
  return status_;
}

}  // namespace yolocu
