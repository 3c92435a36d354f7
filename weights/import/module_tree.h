// A checkpoint as a tree of modules with plain attributes and tensors: what every reader
// produces and what lowering consumes, whatever the file's dialect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/dtype.h"
#include "yolocu/status.h"

namespace yolocu {

// A tensor of a checkpoint as it lies there: a strided view into a storage, checked. Nothing is
// widened or copied before it is asked for, since a checkpoint in fp32 is twice its own size.
struct ImportedTensor {
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements, as the offset
  int64_t offset = 0;
  DType source_dtype = DType::kF32;
  std::span<const std::byte> storage;
  std::shared_ptr<const void> owner = {};  // of the storage, if it is not the caller's

  // The elements, dense and row-major, widened to fp32.
  std::vector<float> values() const;
};

// A dense tensor of its own values.
std::shared_ptr<const ImportedTensor> dense_tensor(std::vector<int64_t> shape,
                                                   std::vector<float> values);

// A plain attribute: tuples, lists and torch.Size of numbers are one kind; a bound method that
// replaces another is its name ("forward" = "forward_fuse"); anything else is left out, and so are
// None, names that begin with '_' and texts or lists longer than 4096.
using Attribute = std::variant<bool, int64_t, double, std::string, std::vector<double>>;

struct Module {
  std::string type;  // "models.common.Conv", "torch.nn.modules.conv.Conv2d"
  std::string path;  // "model.2.cv1"; "" for the root
  std::map<std::string, Attribute, std::less<>> attributes;
  // Parameters, buffers and tensors kept as plain attributes (a head's `stride`). Shared between
  // modules that share them in the file.
  std::map<std::string, std::shared_ptr<const ImportedTensor>, std::less<>> tensors;
  // In order, with names of their own; absent (None) children are left out. Owned by value: a
  // module that the file shares is copied.
  std::vector<std::pair<std::string, Module>> children;

  // "Conv" of "models.common.Conv".
  std::string_view type_name() const;
  const Module* child(std::string_view name) const;             // nullptr if absent
  const ImportedTensor* tensor(std::string_view name) const;    // nullptr if absent
  std::optional<int64_t> integer(std::string_view name) const;  // also of a bool, whole double
  std::optional<double> number(std::string_view name) const;
  std::optional<std::string> text(std::string_view name) const;
  // Of a list or tuple, or of one integer.
  std::optional<std::vector<int64_t>> integers(std::string_view name) const;
};

enum class Dialect : uint8_t { kYolov9, kYolov7, kUltralytics };

// Where the modules were found: in the file, or in the definition of an architecture whose tensors
// the file has, or whose weights are made up.
enum class ModuleOrigin : uint8_t { kPickled, kStateDict, kSynthetic };

struct Checkpoint {
  Dialect dialect = Dialect::kYolov9;
  ModuleOrigin origin = ModuleOrigin::kPickled;
  Module model;                          // the whole detection model; child "model" has the layers
  std::vector<std::string> class_names;  // may be empty
  std::string architecture;              // "gelan-c" if the file says so, else empty
};

// Reads a .pt file of torch.save, zip or legacy: one that pickles the model object (`ema` preferred
// to `model`), or a state dictionary of an architecture that is named (arch/architecture.h) or, if
// `architecture` is empty, guessed. Executes nothing the file names. The tensors are views of the
// bytes, which must outlive the checkpoint. Errors: what zip_archive.h, pickle.h, torch_file.h,
// torch_modules.h and arch/from_state_dict.h refuse; kUnsupported for an unknown model class, or a
// file with neither modules nor tensors; kInvalidArgument if an architecture is named although the
// file has modules; kCorrupt if the class names are not numbered 0..n-1.
Result<Checkpoint> read_torch_checkpoint(std::span<const std::byte> bytes,
                                         const std::string& architecture = {});

}  // namespace yolocu
