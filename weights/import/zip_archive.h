// The zip container of a PyTorch checkpoint, read from memory. Built on libzip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "yolocu/status.h"

namespace yolocu {

// A member's bytes: in the archive, or decompressed and owned.
struct MemberBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner = {};
};

// Read-only view of an archive whose bytes outlive it. Member names are keys, never paths.
class ZipArchive {
 public:
  // kCorrupt if the bytes are not a zip archive, name a member twice or as no file of ours can be
  // (absolute, with "..", backslashes or control characters), or members overlap; kUnsupported if a
  // member is encrypted; kResourceExhausted over 1,000,000 members or if the members claim more
  // than 64 GiB together.
  static Result<ZipArchive> open(std::span<const std::byte> bytes);

  ZipArchive(ZipArchive&&) noexcept;
  ZipArchive& operator=(ZipArchive&&) noexcept;
  ~ZipArchive();

  // In the archive's order.
  const std::vector<std::string>& names() const;
  bool contains(std::string_view name) const;
  // Bytes a member claims to have when decompressed; nullopt if there is no such member.
  std::optional<int64_t> size_bytes(std::string_view name) const;

  // A member's bytes, decompressed, CRC-checked. Never allocates more than `limit_bytes` nor more
  // than the archive could hold (a deflated member can grow at most 1032 times). kNotFound,
  // kResourceExhausted over the limit, kCorrupt.
  Result<std::vector<std::byte>> read(std::string_view name, int64_t limit_bytes) const;

  // The same without a copy where the member is stored as it is: a view into the archive's bytes.
  Result<MemberBytes> view(std::string_view name, int64_t limit_bytes) const;

 private:
  struct State;
  explicit ZipArchive(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace yolocu
