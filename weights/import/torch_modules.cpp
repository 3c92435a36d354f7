#include "weights/import/torch_modules.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"
#include "weights/import/pickle_globals.h"

namespace yolocu {
namespace {
using Kind = PickleObject::Kind;
}  // namespace

bool is_module(PickleRef object) {
  return object != nullptr && object->kind == Kind::kCall &&
         classify_global(object->text) == GlobalKind::kModuleClass;
}

PickleRef instance_dict(const PickleObject& object) {
  PickleRef state = object.state;
  if (state != nullptr && state->kind == Kind::kTuple && !state->items.empty()) {
    state = state->items[0];
  }
  return state != nullptr && state->kind == Kind::kDict ? state : nullptr;
}

namespace {

// The largest official network has 2,000 modules, 12 deep.
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxModules = 100'000;
constexpr size_t kMaxNameLength = 128;
// Of a node's name in the packed file, with some room for what lowering appends.
constexpr size_t kMaxPathLength = 200;
// Longer texts and lists are no attribute of a layer; they are left out.
constexpr size_t kMaxAttributeLength = 4096;
// State entries looked at plus bytes copied. Modules are copied wherever they are referenced, so a
// small file could ask for an endless tree; the largest official network needs 200,000.
constexpr size_t kMaxWork = 50'000'000;

std::optional<double> number_of(const PickleObject& object) {
  if (object.kind == Kind::kFloat) return object.number;
  if (object.kind == Kind::kInt || object.kind == Kind::kBool) {
    return static_cast<double>(object.integer);
  }
  return std::nullopt;
}

// Made in place: GCC 12 with sanitizers warns of a variant that is moved into an optional.
template <typename T>
std::optional<Attribute> attribute(T value) {
  return std::optional<Attribute>(std::in_place, std::in_place_type<T>, std::move(value));
}

// A list, tuple or torch.Size of numbers.
std::optional<Attribute> number_list(const PickleObject& object) {
  const PickleObject* sequence = &object;
  if (object.kind == Kind::kCall && object.text == "torch Size" && object.items.size() == 1) {
    sequence = object.items[0];
  }
  const bool is_list = sequence->kind == Kind::kList || sequence->kind == Kind::kTuple;
  if (!is_list || sequence->items.size() > kMaxAttributeLength) return std::nullopt;
  std::vector<double> values;
  for (const PickleRef item : sequence->items) {
    const std::optional<double> value = number_of(*item);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return attribute(std::move(values));
}

// getattr(module, 'forward_fuse'): how a bound method that replaces `forward` is pickled.
std::optional<std::string> bound_method(const PickleObject& object) {
  const bool is_getattr = object.kind == Kind::kCall && (object.text == "__builtin__ getattr" ||
                                                         object.text == "builtins getattr");
  if (!is_getattr || object.items.size() != 2 || object.items[1]->kind != Kind::kString ||
      object.items[1]->text.size() > kMaxNameLength) {
    return std::nullopt;
  }
  return object.items[1]->text;
}

std::optional<Attribute> attribute_of(const PickleObject& object) {
  switch (object.kind) {
    case Kind::kBool: return attribute(object.integer != 0);
    case Kind::kInt: return attribute(object.integer);
    case Kind::kFloat: return attribute(object.number);
    case Kind::kString:
      if (object.text.size() > kMaxAttributeLength) return std::nullopt;
      return attribute(object.text);
    default: break;
  }
  if (auto method = bound_method(object)) return attribute(std::move(*method));
  return number_list(object);
}

size_t attribute_size(const Attribute& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  if (const auto* values = std::get_if<std::vector<double>>(&value)) {
    return values->size() * sizeof(double);
  }
  return 0;
}

// Copies pickled modules, depth first, into a tree of Module.
class TreeBuilder {
 public:
  explicit TreeBuilder(TorchFile& file) : file_(file) {}

  Result<Module> build(PickleRef object, const std::string& path) {
    YOLOCU_RETURN_IF_ERROR(enter(object, path));
    Module module;
    module.type = object->text;
    std::ranges::replace(module.type, ' ', '.');
    module.path = path;
    if (const PickleRef dict = instance_dict(*object)) {
      YOLOCU_RETURN_IF_ERROR(fill(*dict, &module));
    }
    ancestors_.pop_back();
    return module;
  }

 private:
  static std::string shown(const std::string& path) {
    return path.empty() ? "model" : "module '" + printable(path) + "'";
  }

  Status enter(PickleRef object, const std::string& path) {
    if (std::ranges::find(ancestors_, object) != ancestors_.end()) {
      return corrupt(shown(path) + " contains itself");
    }
    if (path.size() > kMaxPathLength) {
      return corrupt(str_cat(shown(path), ": a name longer than ", kMaxPathLength));
    }
    if (ancestors_.size() >= kMaxDepth) {
      return corrupt(str_cat(shown(path), ": modules are nested deeper than ", kMaxDepth));
    }
    if (++modules_ > kMaxModules) {
      return resource_exhausted(str_cat("more than ", kMaxModules, " modules"));
    }
    ancestors_.push_back(object);
    return work(path.size());
  }

  Status work(size_t amount) {
    work_ += amount;
    if (work_ <= kMaxWork) return {};
    return resource_exhausted("the model's modules have too many attributes");
  }

  Status fill(const PickleObject& dict, Module* module) {
    YOLOCU_RETURN_IF_ERROR(work(dict.pairs.size()));
    for (const auto& [key, value] : dict.pairs) {
      if (key->kind != Kind::kString || key->text.size() > kMaxNameLength) continue;
      if (key->text.starts_with('_')) continue;  // hooks and other inner workings
      YOLOCU_RETURN_IF_ERROR(add_attribute(key->text, *value, module));
    }
    YOLOCU_RETURN_IF_ERROR(add_tensors(dict.find("_parameters"), module));
    YOLOCU_RETURN_IF_ERROR(add_tensors(dict.find("_buffers"), module));
    return add_children(dict.find("_modules"), module);
  }

  Status add_attribute(const std::string& name, const PickleObject& value, Module* module) {
    if (TorchFile::is_tensor(&value)) return add_tensor(name, value, module);
    auto plain = attribute_of(value);
    if (!plain) return {};
    YOLOCU_RETURN_IF_ERROR(work(name.size() + attribute_size(*plain)));
    module->attributes.insert_or_assign(name, std::move(*plain));
    return {};
  }

  Status add_tensor(const std::string& name, const PickleObject& value, Module* module) {
    Result<std::shared_ptr<const ImportedTensor>> tensor = file_.tensor(&value);
    if (!tensor.ok()) {
      const std::string place = module->path.empty() ? name : module->path + "." + name;
      return tensor.status().with_context(printable(place));
    }
    module->tensors.insert_or_assign(name, std::move(*tensor));
    return work(name.size());
  }

  // The dictionary `_parameters` or `_buffers`: name -> tensor or None.
  Status add_tensors(PickleRef dict, Module* module) {
    if (dict == nullptr) return {};
    YOLOCU_RETURN_IF_ERROR(work(dict->pairs.size()));
    for (const auto& [key, value] : dict->pairs) {
      if (value->kind == Kind::kNone) continue;
      if (!is_name(*key) || !TorchFile::is_tensor(value)) {
        return corrupt(str_cat(shown(module->path), ": parameter '", printable(key->text),
                               "' is not a named tensor"));
      }
      YOLOCU_RETURN_IF_ERROR(add_tensor(key->text, *value, module));
    }
    return {};
  }

  // The dictionary `_modules`: name -> module or None.
  Status add_children(PickleRef dict, Module* module) {
    if (dict == nullptr) return {};
    YOLOCU_RETURN_IF_ERROR(work(dict->pairs.size()));
    std::set<std::string_view> names;
    for (const auto& [key, value] : dict->pairs) {
      if (value->kind == Kind::kNone) continue;
      if (!is_name(*key) || !is_module(value) || !names.insert(key->text).second) {
        return corrupt(str_cat(shown(module->path), ": child '", printable(key->text),
                               "' is not a module with a name of its own"));
      }
      const std::string path = module->path.empty() ? key->text : module->path + "." + key->text;
      YOLOCU_ASSIGN_OR_RETURN(Module child, build(value, path));
      module->children.emplace_back(key->text, std::move(child));
    }
    return {};
  }

  static bool is_name(const PickleObject& key) {
    return key.kind == Kind::kString && !key.text.empty() && key.text.size() <= kMaxNameLength &&
           std::ranges::all_of(key.text, [](char c) { return c >= ' ' && c <= '~'; });
  }

  TorchFile& file_;
  std::vector<PickleRef> ancestors_;
  size_t modules_ = 0;
  size_t work_ = 0;
};

}  // namespace

Result<Module> build_module_tree(TorchFile& file, PickleRef object) {
  return TreeBuilder(file).build(object, "");
}

}  // namespace yolocu
