// The packed file: a safetensors container that holds graph, metadata and weights.
// weights/format/FORMAT.md is the byte-level specification.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu {

constexpr int kPackedFormatVersion = 1;

// True if the bytes start like a packed file of any version (the safetensors header names
// yolocu.format_version), whatever the file is called. Looks at the header only.
bool looks_like_packed_file(std::span<const std::byte> bytes);

// Memory-maps and checks the whole file: container, checksum, version, graph, every tensor.
// The returned model keeps the mapping alive. kNotFound, kCorrupt, kUnsupported (a newer version);
// the message starts with the path.
Result<std::shared_ptr<const Model>> open_packed_file(const std::string& path);

// The same for bytes in memory that outlive the model (the model compiled into a program).
Result<std::shared_ptr<const Model>> open_packed_bytes(std::span<const std::byte> bytes);

// The bytes of the packed file of `model`. Deterministic: equal models give equal bytes.
Result<std::vector<std::byte>> serialize_packed(const Model& model);

// serialize_packed to a file, by the rules of write_file (file_io.h).
Status write_packed_file(const Model& model, const std::string& path);

}  // namespace yolocu
