// A checkpoint together with the bytes that its tensors view.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/test_support.h"
#include "weights/import/module_tree.h"

namespace yolocu::testing {

// Behaves like the Result of read_torch_checkpoint().
class CheckpointFile {
 public:
  explicit CheckpointFile(std::vector<std::byte> bytes)
      : bytes_(std::move(bytes)), checkpoint_(read_torch_checkpoint(bytes_)) {}

  bool ok() const { return checkpoint_.ok(); }
  Status status() const { return checkpoint_.status(); }
  Checkpoint* operator->() { return &*checkpoint_; }
  const Checkpoint* operator->() const { return &*checkpoint_; }

 private:
  std::vector<std::byte> bytes_;  // moving a vector leaves its elements where they are
  Result<Checkpoint> checkpoint_;
};

inline std::string message_of(const CheckpointFile& file) {
  return file.status().message();
}

}  // namespace yolocu::testing
