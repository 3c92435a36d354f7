// Files in and out, with errors that name the path.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "yolocu/status.h"

namespace yolocu {

// A whole file, read-only. Shares ownership of the mapping: copies are cheap, the bytes live as
// long as any copy. An empty file has no bytes.
class MappedFile {
 public:
  std::span<const std::byte> bytes() const { return bytes_; }
  std::shared_ptr<const void> owner() const { return owner_; }

 private:
  friend Result<MappedFile> map_file(const std::string& path);
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

// Maps a regular file, or reads another kind (a pipe) to its end. kNotFound, kUnavailable:
// "path: No such file or directory".
Result<MappedFile> map_file(const std::string& path);

// Writes all of `bytes` through a temporary file beside the target and a rename, so that no reader
// sees half a file. A target that exists and is not a regular file (/dev/null, a pipe) is written
// directly, never replaced; a symbolic link is followed. Removes the temporary file on failure.
Status write_file(const std::string& path, std::span<const std::byte> bytes);

// write_file of pieces, one after the other: what is large need not be copied together first.
Status write_pieces(const std::string& path, std::span<const std::span<const std::byte>> pieces);

}  // namespace yolocu
