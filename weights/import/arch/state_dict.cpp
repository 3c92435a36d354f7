#include "weights/import/arch/state_dict.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"
#include "weights/format/safetensors.h"
#include "weights/format/strict_json.h"
#include "weights/import/tensor_gather.h"

namespace yolocu {
namespace {

using Kind = PickleObject::Kind;
using Tensor = std::shared_ptr<const ImportedTensor>;

constexpr std::string_view kRoot = "model.";

// "12.cv1.conv.weight" of "module.model.12.cv1.conv.weight": what follows the wrappers; nullopt if
// no layer number does.
std::optional<std::string_view> layer_name(std::string_view name) {
  constexpr std::string_view kWrappers[] = {"model.", "module.", "_orig_mod."};
  bool stripped = true;
  while (stripped) {
    stripped = false;
    for (const std::string_view wrapper : kWrappers) {
      if (!name.starts_with(wrapper)) continue;
      name.remove_prefix(wrapper.size());
      stripped = true;
    }
  }
  const size_t digits = name.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || name[digits] != '.') return std::nullopt;
  return name;
}

// Collects tensors under the names that the model itself gives them.
class DictBuilder {
 public:
  // Whether the tensor of this name is to be added.
  Result<bool> wants(const std::string& name) {
    if (name.ends_with("num_batches_tracked") || name.starts_with("ema.")) return false;
    const auto layer = layer_name(name);
    if (!layer) {
      return unsupported(str_cat("tensor '", printable(name), "' is of no layer: expected names ",
                                 "such as 'model.0.conv.weight'"));
    }
    const std::string_view prefix = std::string_view(name).substr(0, name.size() - layer->size());
    if (dict_.tensors.empty()) dict_.prefix = prefix;
    if (dict_.prefix == prefix) return true;
    return unsupported(str_cat("two sets of layers, '", printable(dict_.prefix), "' and '",
                               printable(prefix), "'"));
  }

  Status add(const std::string& name, Tensor tensor) {
    const std::string canonical =
        std::string(kRoot) + std::string(std::string_view(name).substr(dict_.prefix.size()));
    if (dict_.tensors.emplace(canonical, std::move(tensor)).second) return {};
    return corrupt(str_cat("tensor '", printable(name), "' occurs twice"));
  }

  Result<StateDict> finish(std::vector<std::string> class_names) && {
    if (dict_.tensors.empty()) return unsupported("no tensors of a model");
    dict_.class_names = std::move(class_names);
    return std::move(dict_);
  }

 private:
  StateDict dict_;
};

// Row-major strides.
StridedView dense_view(const std::vector<int64_t>& shape) {
  StridedView view{.offset = 0, .shape = shape, .strides = std::vector<int64_t>(shape.size(), 1)};
  for (size_t d = shape.size(); d-- > 1;) {
    view.strides[d - 1] = view.strides[d] * std::max<int64_t>(shape[d], 1);
  }
  return view;
}

// "names": a JSON list of texts. Anything else is no list of names, and no error.
std::vector<std::string> names_of(const SafetensorsView& file) {
  std::vector<std::string> names;
  const auto found = file.metadata.find("names");
  if (found == file.metadata.end()) return names;
  const auto json = parse_json(found->second);
  if (!json.ok() || !json->is_array()) return names;
  for (const auto& item : *json) {
    if (!item.is_string()) return {};
    names.push_back(item.get<std::string>());
  }
  return names;
}

bool holds_tensors(const PickleObject& object) {
  return object.kind == Kind::kDict && std::ranges::any_of(object.pairs, [](const auto& pair) {
           return TorchFile::is_tensor(pair.second);
         });
}

// The layer number of "model.12.cv1.conv.weight".
int64_t layer_number(std::string_view name) {
  int64_t number = 0;
  std::from_chars(name.data() + kRoot.size(), name.data() + name.size(), number);
  return number;
}

std::string expected_text(const std::vector<Dim>& shape) {
  std::string text = "[";
  for (const Dim& dim : shape) {
    if (text.size() > 1) text += ',';
    text += dim.kind == Dim::Kind::kFree ? "*" : std::to_string(dim.extent);
  }
  return text + "]";
}

bool fits(const std::vector<int64_t>& actual, const std::vector<Dim>& expected) {
  return std::ranges::equal(actual, expected, [](int64_t extent, const Dim& dim) {
    return dim.kind == Dim::Kind::kFree ? extent > 0 : extent == dim.extent;
  });
}

}  // namespace

std::string StateDict::name_in_file(std::string_view name) const {
  return printable(prefix + std::string(name.substr(kRoot.size())));
}

Result<StateDict> read_safetensors_state_dict(std::span<const std::byte> bytes) {
  YOLOCU_ASSIGN_OR_RETURN(const SafetensorsView file, parse_safetensors(bytes));
  DictBuilder builder;
  for (const SafetensorsTensor& tensor : file.tensors) {
    if (is_padding_name(tensor.name)) continue;
    YOLOCU_ASSIGN_OR_RETURN(const bool wanted, builder.wants(tensor.name));
    if (!wanted) continue;
    const StridedView view = dense_view(tensor.shape);
    const int64_t bytes_held = tensor.end - tensor.begin;
    YOLOCU_RETURN_IF_ERROR(check_view(view, bytes_held / size_bytes(tensor.dtype)).status());
    ImportedTensor imported{.shape = view.shape,
                            .strides = view.strides,
                            .offset = 0,
                            .source_dtype = tensor.dtype,
                            .storage = file.bytes_of(tensor)};
    YOLOCU_RETURN_IF_ERROR(
        builder.add(tensor.name, std::make_shared<const ImportedTensor>(std::move(imported))));
  }
  return std::move(builder).finish(names_of(file));
}

PickleRef find_tensor_dict(PickleRef root) {
  if (root->kind != Kind::kDict) return nullptr;
  if (holds_tensors(*root)) return root;
  for (const std::string_view key : {"ema", "model", "state_dict", "model_state_dict"}) {
    const PickleRef value = root->find(key);
    if (value != nullptr && holds_tensors(*value)) return value;
  }
  return nullptr;
}

Result<StateDict> read_torch_state_dict(TorchFile& file, PickleRef dictionary) {
  DictBuilder builder;
  for (const auto& [key, value] : dictionary->pairs) {
    if (key->kind != Kind::kString || !TorchFile::is_tensor(value)) continue;
    YOLOCU_ASSIGN_OR_RETURN(const bool wanted, builder.wants(key->text));
    if (!wanted) continue;
    Result<Tensor> tensor = file.tensor(value);
    if (!tensor.ok()) return tensor.status().with_context(printable(key->text));
    YOLOCU_RETURN_IF_ERROR(builder.add(key->text, std::move(*tensor)));
  }
  return std::move(builder).finish({});
}

Result<Tensor> StateDictSource::take(const std::string& name, const std::vector<Dim>& shape) {
  const auto found = dict_.tensors.find(name);
  if (found == dict_.tensors.end()) {
    return corrupt(str_cat("tensor '", dict_.name_in_file(name), "' is missing: expected ",
                           expected_text(shape)));
  }
  if (!fits(found->second->shape, shape)) {
    return corrupt(str_cat("tensor '", dict_.name_in_file(name), "': expected ",
                           expected_text(shape), ", got ", shape_text(found->second->shape)));
  }
  taken_.insert(name);
  return found->second;
}

Status StateDictSource::check_all_taken(int64_t last_layer) const {
  for (const auto& [name, tensor] : dict_.tensors) {
    if (layer_number(name) > last_layer || taken_.contains(name)) continue;
    return corrupt(str_cat("tensor '", dict_.name_in_file(name), "' ", shape_text(tensor->shape),
                           " has no place in this architecture"));
  }
  return {};
}

}  // namespace yolocu
