#include "weights/format/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <tuple>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "weights/format/strict_json.h"

namespace yolocu {
namespace {

using nlohmann::json;

constexpr size_t kPrefixBytes = 8;
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();

uint64_t read_u64(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    value |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  }
  return value;
}

void append_u64(std::vector<std::byte>& bytes, uint64_t value) {
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    bytes.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xFFu));
  }
}

std::optional<int64_t> tensor_bytes(DType dtype, std::span<const int64_t> shape) {
  const std::optional<int64_t> count = checked_element_count(shape);
  return count ? checked_mul(*count, size_bytes(dtype)) : std::nullopt;
}

Result<SafetensorsTensor> parse_tensor(const std::string& name, const json& value) {
  Fields fields(value);
  const std::string dtype_text = fields.text("dtype");
  SafetensorsTensor tensor{.name = name, .shape = fields.integers("shape", 0, kMaxInt64)};
  const std::vector<int64_t> offsets = fields.integers("data_offsets", 0, kMaxInt64);
  YOLOCU_RETURN_IF_ERROR(fields.finish());

  const std::optional<DType> dtype = parse_dtype(dtype_text);
  if (!dtype) return unsupported("unknown dtype " + quote_name(dtype_text));
  tensor.dtype = *dtype;
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    return corrupt("'data_offsets': expected [begin,end], got " + shape_text(offsets));
  }
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  const std::optional<int64_t> expected = tensor_bytes(tensor.dtype, tensor.shape);
  if (expected != tensor.end - tensor.begin) {
    return corrupt(str_cat("expected ", expected ? std::to_string(*expected) : "over 2^63",
                           " bytes for ", shape_text(tensor.shape), " ", dtype_name(*dtype),
                           ", got ", tensor.end - tensor.begin));
  }
  return tensor;
}

using Metadata = std::map<std::string, std::string, std::less<>>;

Result<json> parse_header_json(std::string_view text) {
  if (text.front() != '{') return corrupt("header: expected '{' at byte 8");
  auto parsed = parse_json(text);
  if (!parsed.ok()) return parsed.status().with_context("header");
  return parsed;
}

Result<Metadata> metadata_of(const json& header) {
  Metadata metadata;
  const auto place = header.find(kMetadataKey);
  if (place == header.end()) return metadata;
  if (!place->is_object()) return corrupt("__metadata__: expected a JSON object");
  for (const auto& item : place->items()) {
    if (!item.value().is_string()) {
      return corrupt("__metadata__: the value of " + quote_name(item.key()) + " is not a string");
    }
    metadata.emplace(item.key(), item.value().get<std::string>());
  }
  return metadata;
}

// Sorts the tensors by place and checks that each begins where the one before ends.
Status check_layout(SafetensorsHeader& header) {
  const auto place = [](const SafetensorsTensor& t) { return std::tie(t.begin, t.end, t.name); };
  std::sort(header.tensors.begin(), header.tensors.end(),
            [&](const auto& a, const auto& b) { return place(a) < place(b); });
  for (const SafetensorsTensor& tensor : header.tensors) {
    if (tensor.begin != header.data_bytes) {
      return corrupt(str_cat("tensor ", quote_name(tensor.name), " begins at byte ", tensor.begin,
                             " of the data, expected ", header.data_bytes, " (",
                             tensor.begin < header.data_bytes ? "overlap" : "hole", ")"));
    }
    header.data_bytes = tensor.end;
  }
  return {};
}

Status check_entry(const SafetensorsEntry& entry, std::set<std::string_view>& names) {
  if (entry.name == kMetadataKey || is_padding_name(entry.name)) {
    return invalid_argument("tensor " + quote_name(entry.name) + ": the name is reserved");
  }
  if (!names.insert(entry.name).second) {
    return invalid_argument("tensor " + quote_name(entry.name) + " occurs twice");
  }
  if (tensor_bytes(entry.dtype, entry.shape) != static_cast<int64_t>(entry.data.size())) {
    return invalid_argument(str_cat("tensor ", quote_name(entry.name), ": ", entry.data.size(),
                                    " bytes for ", shape_text(entry.shape), " ",
                                    dtype_name(entry.dtype)));
  }
  return {};
}

// The entries with "pad.N" between them, so that each one begins at a multiple of kTensorAlignment
// (the data itself begins at one). Padding is never longer than `zeros`.
std::vector<SafetensorsEntry> with_padding(std::span<const SafetensorsEntry> entries,
                                           std::span<const std::byte> zeros) {
  std::vector<SafetensorsEntry> padded;
  int64_t offset = 0;
  int64_t pads = 0;
  for (const SafetensorsEntry& entry : entries) {
    const int64_t gap = round_up(offset, kTensorAlignment) - offset;
    if (gap > 0) {
      padded.push_back({.name = str_cat("pad.", pads++),
                        .dtype = DType::kU8,
                        .shape = {gap},
                        .data = zeros.first(static_cast<size_t>(gap))});
    }
    padded.push_back(entry);
    offset += gap + static_cast<int64_t>(entry.data.size());
  }
  return padded;
}

Result<std::string> header_json(std::span<const std::pair<std::string, std::string>> metadata,
                                std::span<const SafetensorsEntry> entries) {
  std::string text = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    YOLOCU_ASSIGN_OR_RETURN(const std::string key_text, json_string(key));
    YOLOCU_ASSIGN_OR_RETURN(const std::string value_text, json_string(value));
    text += (text.back() == '{' ? "" : ",") + key_text + ":" + value_text;
  }
  text += "}";
  int64_t offset = 0;
  for (const SafetensorsEntry& entry : entries) {
    YOLOCU_ASSIGN_OR_RETURN(const std::string name, json_string(entry.name));
    const int64_t end = offset + static_cast<int64_t>(entry.data.size());
    text += str_cat(",", name, ":{\"dtype\":\"", dtype_name(entry.dtype),
                    "\",\"shape\":", shape_text(entry.shape), ",\"data_offsets\":[", offset, ",",
                    end, "]}");
    offset = end;
  }
  text += "}";
  const auto unpadded = static_cast<int64_t>(kPrefixBytes + text.size());
  text.append(static_cast<size_t>(round_up(unpadded, kTensorAlignment) - unpadded), ' ');
  return text;
}

}  // namespace

Result<std::string_view> safetensors_header_text(std::span<const std::byte> bytes) {
  if (bytes.size() < kPrefixBytes) {
    return corrupt(str_cat("truncated: expected at least 8 bytes, got ", bytes.size()));
  }
  const uint64_t length = read_u64(bytes);
  if (length < 2 || length > static_cast<uint64_t>(kMaxSafetensorsHeaderBytes)) {
    return corrupt(str_cat("header length: expected 2 to ", kMaxSafetensorsHeaderBytes,
                           " bytes, got ", length));
  }
  if (length > bytes.size() - kPrefixBytes) {
    return corrupt(str_cat("truncated: expected at least ", kPrefixBytes + length, " bytes, got ",
                           bytes.size()));
  }
  return std::string_view(reinterpret_cast<const char*>(bytes.data()) + kPrefixBytes,
                          static_cast<size_t>(length));
}

Result<Metadata> parse_safetensors_metadata(std::span<const std::byte> bytes) {
  YOLOCU_ASSIGN_OR_RETURN(const std::string_view text, safetensors_header_text(bytes));
  YOLOCU_ASSIGN_OR_RETURN(const json parsed, parse_header_json(text));
  return metadata_of(parsed);
}

Result<SafetensorsHeader> parse_safetensors_header(std::span<const std::byte> bytes) {
  YOLOCU_ASSIGN_OR_RETURN(const std::string_view text, safetensors_header_text(bytes));
  YOLOCU_ASSIGN_OR_RETURN(const json parsed, parse_header_json(text));
  SafetensorsHeader header;
  YOLOCU_ASSIGN_OR_RETURN(header.metadata, metadata_of(parsed));
  header.data_begin = static_cast<int64_t>(kPrefixBytes + text.size());
  for (const auto& item : parsed.items()) {
    if (item.key() == kMetadataKey) continue;
    auto tensor = parse_tensor(item.key(), item.value());
    if (!tensor.ok()) return tensor.status().with_context("tensor " + quote_name(item.key()));
    header.tensors.push_back(std::move(*tensor));
  }
  YOLOCU_RETURN_IF_ERROR(check_layout(header));
  if (!checked_add(header.data_begin, header.data_bytes)) {
    return corrupt(str_cat("data of ", header.data_bytes, " bytes"));
  }
  return header;
}

Status check_safetensors_size(const SafetensorsHeader& header, std::span<const std::byte> bytes) {
  const int64_t expected = header.data_begin + header.data_bytes;
  const auto actual = static_cast<int64_t>(bytes.size());
  if (actual == expected) return {};
  return corrupt(str_cat(actual < expected ? "truncated" : "bytes after the last tensor",
                         ": expected ", expected, " bytes, got ", actual));
}

Result<SafetensorsView> parse_safetensors(std::span<const std::byte> bytes) {
  YOLOCU_ASSIGN_OR_RETURN(SafetensorsHeader header, parse_safetensors_header(bytes));
  YOLOCU_RETURN_IF_ERROR(check_safetensors_size(header, bytes));
  return SafetensorsView{std::move(header.metadata), std::move(header.tensors),
                         bytes.subspan(static_cast<size_t>(header.data_begin))};
}

bool is_padding_name(std::string_view name) {
  constexpr std::string_view kPrefix = "pad.";
  return name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string_view::npos;
}

Result<SafetensorsPieces> lay_out_safetensors(
    std::span<const std::pair<std::string, std::string>> metadata,
    std::span<const SafetensorsEntry> entries) {
  std::set<std::string_view> names;
  for (const SafetensorsEntry& entry : entries) {
    YOLOCU_RETURN_IF_ERROR(check_entry(entry, names));
  }
  static constexpr std::array<std::byte, static_cast<size_t>(kTensorAlignment)> kZeros{};
  const std::vector<SafetensorsEntry> padded = with_padding(entries, kZeros);
  YOLOCU_ASSIGN_OR_RETURN(const std::string text, header_json(metadata, padded));
  if (static_cast<int64_t>(text.size()) > kMaxSafetensorsHeaderBytes) {
    return resource_exhausted(str_cat("header of ", text.size(), " bytes, at most ",
                                      kMaxSafetensorsHeaderBytes, " are allowed"));
  }
  SafetensorsPieces pieces;
  append_u64(pieces.header, text.size());
  const auto header = std::as_bytes(std::span(text));
  pieces.header.insert(pieces.header.end(), header.begin(), header.end());
  for (const SafetensorsEntry& entry : padded) pieces.data.push_back(entry.data);
  return pieces;
}

std::vector<std::byte> join_pieces(const SafetensorsPieces& pieces) {
  size_t total = pieces.header.size();
  for (const auto piece : pieces.data) total += piece.size();
  std::vector<std::byte> bytes;
  bytes.reserve(total);
  bytes.insert(bytes.end(), pieces.header.begin(), pieces.header.end());
  for (const auto piece : pieces.data) bytes.insert(bytes.end(), piece.begin(), piece.end());
  return bytes;
}

Result<std::vector<std::byte>> serialize_safetensors(
    std::span<const std::pair<std::string, std::string>> metadata,
    std::span<const SafetensorsEntry> entries) {
  YOLOCU_ASSIGN_OR_RETURN(const SafetensorsPieces pieces, lay_out_safetensors(metadata, entries));
  return join_pieces(pieces);
}

}  // namespace yolocu
