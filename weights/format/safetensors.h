// The safetensors container: u64 header length (little-endian), JSON header, data. Reads any such
// file and writes ours. Rules: https://github.com/huggingface/safetensors, section "Format".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/dtype.h"
#include "yolocu/status.h"

namespace yolocu {

constexpr int64_t kMaxSafetensorsHeaderBytes = 100'000'000;  // the format's own limit
constexpr int64_t kTensorAlignment = 64;                     // of what we write: a cache line

// A tensor of the file: bytes [begin, end) of the data, dense, row-major, little-endian.
struct SafetensorsTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // product * size_bytes(dtype) == end - begin
  int64_t begin = 0;
  int64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, std::string, std::less<>> metadata;  // __metadata__; empty if absent
  std::vector<SafetensorsTensor> tensors;                    // ascending by begin, without holes
  int64_t data_begin = 0;                                    // in the file
  int64_t data_bytes = 0;                                    // the last tensor's end
};

// A whole file. `data` points into the parsed bytes.
struct SafetensorsView {
  std::map<std::string, std::string, std::less<>> metadata;
  std::vector<SafetensorsTensor> tensors;
  std::span<const std::byte> data;

  std::span<const std::byte> bytes_of(const SafetensorsTensor& tensor) const {
    return data.subspan(static_cast<size_t>(tensor.begin),
                        static_cast<size_t>(tensor.end - tensor.begin));
  }
};

// The JSON text of the header; kCorrupt if its length is impossible or the file ends inside it.
Result<std::string_view> safetensors_header_text(std::span<const std::byte> bytes);

// __metadata__ alone, empty if absent, whatever the tensors are like.
Result<std::map<std::string, std::string, std::less<>>> parse_safetensors_metadata(
    std::span<const std::byte> bytes);

// The header, checked in itself but not against the length of the file. kCorrupt names the tensor:
// malformed JSON, duplicate keys, a size that is not dtype x shape, overlaps, holes. kUnsupported:
// an element type that DType lacks, by name.
Result<SafetensorsHeader> parse_safetensors_header(std::span<const std::byte> bytes);

// kCorrupt unless the file has exactly the bytes that the header promises.
Status check_safetensors_size(const SafetensorsHeader& header, std::span<const std::byte> bytes);

// Both: every byte of the file is accounted for.
Result<SafetensorsView> parse_safetensors(std::span<const std::byte> bytes);

// True for "pad.0", "pad.1", ...: U8 tensors that fill gaps, reserved by the writer.
bool is_padding_name(std::string_view name);

// A tensor to write; `data` belongs to the caller.
struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
};

// A file to write: its length prefix and header, then data that belongs to the entries, with
// padding between.
struct SafetensorsPieces {
  std::vector<std::byte> header;
  std::vector<std::span<const std::byte>> data;
};

// A file with `metadata` and `entries` in their order, each tensor's data at a
// multiple of kTensorAlignment in the file: the header is padded with spaces, gaps are tensors
// "pad.N". kInvalidArgument: a name twice, a reserved one or not UTF-8, data that does not fit its
// shape.
Result<SafetensorsPieces> lay_out_safetensors(
    std::span<const std::pair<std::string, std::string>> metadata,
    std::span<const SafetensorsEntry> entries);

// The same as one piece.
Result<std::vector<std::byte>> serialize_safetensors(
    std::span<const std::pair<std::string, std::string>> metadata,
    std::span<const SafetensorsEntry> entries);
std::vector<std::byte> join_pieces(const SafetensorsPieces& pieces);

}  // namespace yolocu
