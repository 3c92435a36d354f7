#include "weights/format/packed_file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>
#include <optional>
#include <set>

#include "engine/base/guard.h"
#include "engine/base/str_cat.h"
#include "weights/format/file_io.h"
#include "weights/format/graph_json.h"
#include "weights/format/quantization.h"
#include "weights/format/safetensors.h"
#include "weights/format/strict_json.h"

namespace yolocu {
namespace {

constexpr std::string_view kVersionKey = "yolocu.format_version";
constexpr std::string_view kChecksumKey = "yolocu.checksum";
constexpr std::string_view kReserved = "yolocu.";
constexpr std::string_view kModelKey = "yolocu.model";
// The checksum as it stands in the header, and the digits that are zeros while it is computed.
constexpr std::string_view kChecksumPrefix = "\"yolocu.checksum\":\"crc32:";
constexpr size_t kChecksumDigits = 8;
constexpr std::string_view kZeroDigits = "00000000";

using Metadata = std::map<std::string, std::string, std::less<>>;

std::span<const std::byte> text_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

uint32_t add_crc(uint32_t crc, std::span<const std::byte> bytes) {
  if (bytes.empty()) return crc;  // zlib takes no address for the wish to begin anew
  return static_cast<uint32_t>(
      crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string hex_digits(uint32_t value) {
  std::string digits(kChecksumDigits, '0');
  for (size_t i = 0; i < kChecksumDigits; ++i) {
    digits[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 0xFu];
  }
  return digits;
}

struct StoredChecksum {
  size_t position = 0;  // of the first digit in the file
  std::string digits;
};

// Finds the checksum in the bytes, so that it serves even where the header cannot be parsed. The
// text cannot occur inside a JSON string, where its quotes would be escaped.
Result<StoredChecksum> find_checksum(std::span<const std::byte> bytes) {
  YOLOCU_ASSIGN_OR_RETURN(const std::string_view header, safetensors_header_text(bytes));
  const size_t place = header.find(kChecksumPrefix);
  if (place == std::string_view::npos) return corrupt("checksum: not found in the header");
  if (header.find(kChecksumPrefix, place + 1) != std::string_view::npos) {
    return corrupt("checksum: found twice in the header");
  }
  const size_t digits = place + kChecksumPrefix.size();
  const std::string_view text = header.substr(digits, kChecksumDigits + 1);
  if (text.size() != kChecksumDigits + 1 || text.back() != '"' ||
      text.find_first_not_of("0123456789abcdef") != kChecksumDigits) {
    return corrupt("checksum: expected crc32: and 8 lower-case hex digits");
  }
  return StoredChecksum{
      static_cast<size_t>(header.data() - reinterpret_cast<const char*>(bytes.data())) + digits,
      std::string(text.substr(0, kChecksumDigits))};
}

// CRC-32 of zlib over the bytes, with zeros for the eight digits at `position`.
uint32_t file_crc(std::span<const std::byte> bytes, size_t position) {
  uint32_t crc = add_crc(0, bytes.first(position));
  crc = add_crc(crc, text_bytes(kZeroDigits));
  return add_crc(crc, bytes.subspan(position + kChecksumDigits));
}

Status check_checksum(std::span<const std::byte> bytes) {
  YOLOCU_ASSIGN_OR_RETURN(const StoredChecksum stored, find_checksum(bytes));
  const std::string computed = hex_digits(file_crc(bytes, stored.position));
  if (computed == stored.digits) return {};
  return corrupt("damaged: checksum mismatch: expected crc32:" + stored.digits +
                 ", got crc32:" + computed);
}

Result<int> read_version(const Metadata& metadata) {
  const auto place = metadata.find(kVersionKey);
  if (place == metadata.end()) {
    return corrupt(str_cat("not a packed model file: no '", kVersionKey, "' in its metadata"));
  }
  const std::string& text = place->second;
  int version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version < 1 || text[0] == '0') {
    return corrupt(
        str_cat("'", kVersionKey, "': expected a positive integer, got ", quote_name(text)));
  }
  if (version <= kPackedFormatVersion) return version;
  return unsupported(str_cat("format version ", version, " is newer than this program (",
                             kPackedFormatVersion, "): update yolocu"));
}

// Why the header cannot be read, as helpfully as the bytes allow: it is another kind of file, it is
// newer (with element types of its own, say), or it was damaged, which the checksum proves.
Status explain(std::span<const std::byte> bytes, const Status& error) {
  if (!looks_like_packed_file(bytes)) return error.with_context("not a packed model file");
  const auto metadata = parse_safetensors_metadata(bytes);
  if (metadata.ok()) {
    const Status version = read_version(*metadata).status();
    if (version.code() == StatusCode::kUnsupported) return version;
  }
  if (!find_checksum(bytes).ok()) return error;
  const Status checksum = check_checksum(bytes);
  return checksum.ok() ? error : corrupt(checksum.message() + " (" + error.message() + ")");
}

// The three keys of our versions and nothing else under "yolocu."; other prefixes are free.
Status check_metadata_keys(const Metadata& metadata) {
  for (const auto& [key, value] : metadata) {
    if (key.starts_with(kReserved) && key != kVersionKey && key != kChecksumKey &&
        key != kModelKey) {
      return corrupt("unknown metadata " + quote_name(key));
    }
  }
  if (metadata.contains(kModelKey)) return {};
  return corrupt(str_cat("'", kModelKey, "' is missing in the metadata"));
}

Status add_tensors(const SafetensorsHeader& header, std::span<const std::byte> bytes,
                   Model& model) {
  for (const SafetensorsTensor& tensor : header.tensors) {
    if (is_padding_name(tensor.name)) {
      if (tensor.dtype == DType::kU8) continue;
      return corrupt("tensor " + quote_name(tensor.name) + ": expected U8 padding, got " +
                     std::string(dtype_name(tensor.dtype)));
    }
    const int64_t begin = header.data_begin + tensor.begin;
    if (begin % kTensorAlignment != 0) {
      return corrupt(str_cat("tensor ", quote_name(tensor.name), " begins at byte ", begin,
                             ", expected a multiple of ", kTensorAlignment));
    }
    const auto size = static_cast<size_t>(tensor.end - tensor.begin);
    model.tensors.emplace(tensor.name, TensorView{tensor.dtype, tensor.shape,
                                                  bytes.subspan(static_cast<size_t>(begin), size)});
  }
  return {};
}

// `bytes` are aligned to kTensorAlignment and live as long as `owner`.
Result<std::shared_ptr<const Model>> read_model(std::span<const std::byte> bytes,
                                                std::shared_ptr<const void> owner) {
  const auto header = parse_safetensors_header(bytes);
  if (!header.ok()) return explain(bytes, header.status());
  YOLOCU_RETURN_IF_ERROR(check_safetensors_size(*header, bytes));
  YOLOCU_ASSIGN_OR_RETURN(const int version, read_version(header->metadata));
  YOLOCU_RETURN_IF_ERROR(check_checksum(bytes));
  YOLOCU_RETURN_IF_ERROR(check_metadata_keys(header->metadata));
  auto spec = parse_model_document(header->metadata.find(kModelKey)->second, version);
  if (!spec.ok()) return spec.status().with_context(std::string(kModelKey));
  auto model = std::make_shared<Model>();
  model->spec = std::move(*spec);
  model->storage = std::move(owner);
  YOLOCU_RETURN_IF_ERROR(add_tensors(*header, bytes, *model));
  YOLOCU_RETURN_IF_ERROR(validate_model(*model));
  return std::shared_ptr<const Model>(std::move(model));
}

struct AlignedDelete {
  void operator()(std::byte* bytes) const {
    ::operator delete[](bytes, std::align_val_t{kTensorAlignment});
  }
};

// Bytes that are not aligned (a pipe, a caller's vector) are copied; a mapping never is.
Result<std::shared_ptr<const Model>> read_aligned(std::span<const std::byte> bytes,
                                                  std::shared_ptr<const void> owner) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kTensorAlignment == 0) {
    return read_model(bytes, std::move(owner));
  }
  void* memory = ::operator new[](bytes.size(), std::align_val_t{kTensorAlignment}, std::nothrow);
  if (memory == nullptr) return resource_exhausted(str_cat(bytes.size(), " bytes of memory"));
  std::memcpy(memory, bytes.data(), bytes.size());
  std::shared_ptr<std::byte> copy(static_cast<std::byte*>(memory), AlignedDelete{});
  return read_model({copy.get(), bytes.size()}, copy);
}

// Tensors in the order in which execution needs them: weight, bias and scale of each convolution,
// then those that the graph does not name, by name.
std::vector<SafetensorsEntry> entries_of(const Model& model) {
  std::vector<SafetensorsEntry> entries;
  std::set<std::string_view> added;
  const auto add = [&](const std::string& name) {
    const auto place = model.tensors.find(name);
    if (place == model.tensors.end() || !added.insert(place->first).second) return;
    entries.push_back({place->first, place->second.dtype, place->second.shape, place->second.data});
  };
  for (const Node& node : model.spec.graph.nodes) {
    if (const auto* conv = std::get_if<ConvOp>(&node.op)) {
      add(conv->weight);
      add(conv->bias);
      add(conv->accumulator_scale);
    }
  }
  for (const auto& [name, tensor] : model.tensors) add(name);
  return entries;
}

// The packed file of `model`, whose tensors the pieces point into.
Result<SafetensorsPieces> lay_out_packed(const Model& model, const PackedNotes& notes) {
  YOLOCU_RETURN_IF_ERROR(validate_model(model));
  YOLOCU_ASSIGN_OR_RETURN(const auto shapes, infer_shapes(model.spec.graph));
  const int version = is_quantized(model.spec.graph) ? 2 : 1;
  YOLOCU_ASSIGN_OR_RETURN(std::string document, model_document(model.spec, shapes, version));
  std::vector<std::pair<std::string, std::string>> metadata = {
      {std::string(kVersionKey), std::to_string(version)},
      {std::string(kChecksumKey), "crc32:" + std::string(kZeroDigits)},
      {std::string(kModelKey), std::move(document)},
  };
  for (const auto& [key, text] : notes) {
    if (key.starts_with(kReserved)) return invalid_argument("a note called " + quote_name(key));
    metadata.emplace_back(key, text);
  }
  YOLOCU_ASSIGN_OR_RETURN(SafetensorsPieces pieces,
                          lay_out_safetensors(metadata, entries_of(model)));
  YOLOCU_ASSIGN_OR_RETURN(const StoredChecksum stored, find_checksum(pieces.header));
  uint32_t crc = file_crc(pieces.header, stored.position);
  for (const auto piece : pieces.data) crc = add_crc(crc, piece);
  const std::string digits = hex_digits(crc);
  std::memcpy(pieces.header.data() + stored.position, digits.data(), digits.size());
  return pieces;
}

}  // namespace

bool looks_like_packed_file(std::span<const std::byte> bytes) {
  constexpr size_t kPrefixBytes = 8;
  if (bytes.size() <= kPrefixBytes || bytes[kPrefixBytes] != std::byte{'{'}) return false;
  uint64_t length = 0;
  for (size_t i = 0; i < kPrefixBytes; ++i) {
    length |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  }
  if (length > static_cast<uint64_t>(kMaxSafetensorsHeaderBytes)) return false;
  const size_t available = std::min(bytes.size() - kPrefixBytes, static_cast<size_t>(length));
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + kPrefixBytes,
                                available);
  return header.find(str_cat('"', kVersionKey, '"')) != std::string_view::npos;
}

Result<std::shared_ptr<const Model>> open_packed_file(const std::string& path) {
  YOLOCU_ASSIGN_OR_RETURN(const MappedFile file, map_file(path));
  auto model = guarded([&] { return read_aligned(file.bytes(), file.owner()); });
  if (!model.ok()) return model.status().with_context(path);
  return model;
}

Result<std::shared_ptr<const Model>> open_packed_bytes(std::span<const std::byte> bytes) {
  return guarded([&] { return read_aligned(bytes, nullptr); });
}

PackedNotes read_packed_notes(std::span<const std::byte> bytes) {
  auto notes = parse_safetensors_metadata(bytes);
  if (!notes.ok()) return {};
  std::erase_if(*notes, [](const auto& note) { return note.first.starts_with(kReserved); });
  return std::move(*notes);
}

Result<std::vector<std::byte>> serialize_packed(const Model& model, const PackedNotes& notes) {
  YOLOCU_ASSIGN_OR_RETURN(const SafetensorsPieces pieces, lay_out_packed(model, notes));
  return join_pieces(pieces);
}

Status write_packed_file(const Model& model, const std::string& path, const PackedNotes& notes) {
  const auto pieces = lay_out_packed(model, notes);
  if (!pieces.ok()) return pieces.status().with_context(path);
  std::vector<std::span<const std::byte>> all = {pieces->header};
  all.insert(all.end(), pieces->data.begin(), pieces->data.end());
  return write_pieces(path, all);
}

}  // namespace yolocu
