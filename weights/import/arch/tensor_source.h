// Where the tensors of an architecture come from: a state dictionary, or nowhere (synthetic).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weights/import/module_tree.h"
#include "yolocu/status.h"

namespace yolocu {

// A dimension as the architecture has it. A free one may be different in a file: widths are what a
// checkpoint decides.
struct Dim {
  enum class Kind : uint8_t { kExact, kFree };
  int64_t extent = 0;
  Kind kind = Kind::kExact;

  static Dim exact(int64_t extent) { return {extent, Kind::kExact}; }
  static Dim free(int64_t extent) { return {extent, Kind::kFree}; }
};

// Names are those of a module's state_dict() under the root "model.": "model.0.conv.weight".
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  // Whether the file has this tensor: how variants of a module tell themselves apart. A source
  // without a file has none, and its modules take the plainest form: folded and fused.
  virtual bool has(const std::string& name) const = 0;

  // The tensor. Errors name it, with the shape expected ("*" for a free dimension) and found.
  virtual Result<std::shared_ptr<const ImportedTensor>> take(const std::string& name,
                                                             const std::vector<Dim>& shape) = 0;
};

// Zeros in the shapes of the definition.
class ZeroSource final : public TensorSource {
 public:
  bool has(const std::string&) const override { return false; }
  Result<std::shared_ptr<const ImportedTensor>> take(const std::string& name,
                                                     const std::vector<Dim>& shape) override;
};

}  // namespace yolocu
