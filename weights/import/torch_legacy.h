// torch.save's form before PyTorch 1.6: no archive, but pickles in a row and raw storages behind.
//
//   pickle    magic number 0x1950a86a20f9469cfc6c
//   pickle    protocol version 1001
//   pickle    dictionary: "little_endian", ...
//   pickle    the object
//   pickle    list of storage keys
//   per key   int64 number of elements, then the elements
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "weights/import/pickle.h"
#include "yolocu/status.h"

namespace yolocu {

struct LegacyTorchFile {
  PickleTree tree;                                                          // of the object
  std::map<std::string, std::span<const std::byte>, std::less<>> storages;  // by key
};

// Whether the bytes begin with the magic number.
bool is_legacy_torch_file(std::span<const std::byte> bytes);

// `bytes` outlive the result. kCorrupt: truncated, storages that the object does not name;
// kUnsupported: another protocol version, big-endian data; otherwise what pickle.h refuses.
Result<LegacyTorchFile> read_legacy_torch_file(std::span<const std::byte> bytes);

}  // namespace yolocu
