// The packed file: a safetensors container that holds graph, metadata and weights.
// weights/format/FORMAT.md is the byte-level specification.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu {

// The newest version that is read. Written is the lowest that can express the model.
constexpr int kPackedFormatVersion = 2;

// True if the bytes start like a packed file of any version (the safetensors header names
// yolocu.format_version), whatever the file is called. Looks at the header only.
bool looks_like_packed_file(std::span<const std::byte> bytes);

// Memory-maps and checks the whole file: container, checksum, version, graph, every tensor.
// The returned model keeps the mapping alive. kNotFound, kCorrupt, kUnsupported (a newer version);
// the message starts with the path.
Result<std::shared_ptr<const Model>> open_packed_file(const std::string& path);

// The same for bytes in memory that outlive the model (the model compiled into a program).
Result<std::shared_ptr<const Model>> open_packed_bytes(std::span<const std::byte> bytes);

// What a file says of its model for people, beside what programs must know: keys of the metadata
// that no reader needs. Ours are listed in FORMAT.md. Texts in UTF-8.
using PackedNotes = std::map<std::string, std::string, std::less<>>;

// The notes of a file that has been opened before: its bytes are trusted to be a packed file. Empty
// where it has none, as files of older writers have.
PackedNotes read_packed_notes(std::span<const std::byte> bytes);

// The bytes of the packed file of `model`. Deterministic: equal models give equal bytes.
// kInvalidArgument: a note whose key begins with "yolocu.".
Result<std::vector<std::byte>> serialize_packed(const Model& model, const PackedNotes& notes = {});

// serialize_packed to a file, by the rules of write_file (file_io.h).
Status write_packed_file(const Model& model, const std::string& path,
                         const PackedNotes& notes = {});

}  // namespace yolocu
