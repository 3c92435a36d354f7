// JSON from foreign bytes, for the readers of this folder and of import/: bounded, without duplicate
// keys, every field checked for type, range and presence. nlohmann-json does the lexing.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "yolocu/status.h"

namespace yolocu {

// Deepest nesting of arrays and objects; our documents need 6.
constexpr int64_t kMaxJsonDepth = 16;
// Most values in a document: 140,000 tensors in a safetensors header, and at most some 150 MB here.
constexpr int64_t kMaxJsonValues = 1'000'000;

// The value of `text`, which is one JSON document and nothing else but white space. kCorrupt with
// the byte position: not JSON, not UTF-8, duplicate key, too deep; kResourceExhausted: too many
// values. Strings hold valid UTF-8.
Result<nlohmann::json> parse_json(std::string_view text);

// A foreign name for a message: in single quotes, at most 100 bytes, printable ASCII only.
std::string quote_name(std::string_view name);

// `text` as a JSON string with its quotes. kInvalidArgument if it is not UTF-8.
Result<std::string> json_string(const std::string& text);

// Reads the fields of one JSON object. The first mistake is kept and later reads return empty
// values, so that a reader can fetch all fields and look at finish() once.
class Fields {
 public:
  // `value` outlives this. A value that is not an object is the first mistake.
  explicit Fields(const nlohmann::json& value);

  int64_t integer(std::string_view key, int64_t low, int64_t high);
  // A number that is finite as fp32.
  float number(std::string_view key);
  std::string text(std::string_view key);
  std::vector<int64_t> integers(std::string_view key, int64_t low, int64_t high);
  std::vector<float> numbers(std::string_view key);
  std::vector<std::vector<float>> number_lists(std::string_view key);
  std::vector<std::string> texts(std::string_view key);
  // An array or object; an empty one after a mistake.
  const nlohmann::json& array(std::string_view key);
  const nlohmann::json& object(std::string_view key);

  // Adds a mistake of the caller's own, or one of a part ("context: message").
  void fail(const std::string& message);
  void require(const Status& status, const std::string& context);
  bool ok() const { return status_.ok(); }

  // The first mistake, or kCorrupt for a field that nobody asked for.
  Status finish();

 private:
  const nlohmann::json* find(std::string_view key);
  float as_number(const nlohmann::json& value, std::string_view key);
  std::vector<float> as_numbers(const nlohmann::json& value, std::string_view key);
  int64_t as_integer(const nlohmann::json& value, std::string_view key, int64_t low, int64_t high);

  const nlohmann::json& value_;
  std::vector<std::string_view> seen_;
  Status status_;
};

}  // namespace yolocu
