#include "tests/import/hostile/pickled_tree.h"

#include <cmath>
#include <variant>

#include "tests/import/pickled.h"
#include "tests/import/torch_builder.h"

namespace yolocu::testing {
namespace {

using namespace pickled;  // NOLINT: a vocabulary made for this

std::string storage_type(DType dtype) {
  switch (dtype) {
    case DType::kF16: return "HalfStorage";
    case DType::kF64: return "DoubleStorage";
    case DType::kU8: return "ByteStorage";
    default: return "FloatStorage";
  }
}

std::string pickled_number(double value) {
  return value == std::floor(value) ? integer(static_cast<int64_t>(value)) : real(value);
}

std::string pickled_attribute(const Attribute& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? kTrue : kFalse;
  if (const auto* whole_number = std::get_if<int64_t>(&value)) return integer(*whole_number);
  if (const auto* number = std::get_if<double>(&value)) return real(*number);
  if (const auto* words = std::get_if<std::string>(&value)) return text(*words);
  std::vector<std::string> items;
  for (const double item : std::get<std::vector<double>>(value)) {
    items.push_back(pickled_number(item));
  }
  return tuple(items);
}

class Pickler {
 public:
  std::string tensor(const ImportedTensor& view) {
    const std::string key = std::to_string(tree.storages.size());
    const auto elements = static_cast<int64_t>(view.storage.size()) / size_bytes(view.source_dtype);
    tree.storages.emplace_back(
        key, std::string(reinterpret_cast<const char*>(view.storage.data()), view.storage.size()));
    tree.elements.push_back(elements);
    return pickled_tensor(pickled_storage(storage_type(view.source_dtype), key, elements),
                          view.offset, view.shape, view.strides);
  }

  std::string module(const Module& node) {
    if (node.type == kSharedModule) {
      if (is_remembered_) return recall(1);
      is_remembered_ = true;
      return remember(module(node.children[0].second), 1);
    }
    const size_t dot = node.type.rfind('.');
    PickledModule parts{.module = node.type.substr(0, dot), .name = node.type.substr(dot + 1)};
    for (const auto& [name, view] : node.tensors) {
      parts.parameters.emplace_back(name, pickled_parameter(tensor(*view)));
    }
    for (const auto& [name, child] : node.children)
      parts.children.emplace_back(name, module(child));
    for (const auto& [name, value] : node.attributes) {
      parts.state.emplace_back(name, pickled_attribute(value));
    }
    return pickled_module(parts);
  }

  void tensors_of(const Module& node, const std::string& path) {
    for (const auto& [name, view] : node.tensors) {
      dictionary.emplace_back(path + name, tensor(*view));
    }
    for (const auto& [name, child] : node.children) tensors_of(child, path + name + ".");
  }

  PickledTree tree;
  std::vector<std::pair<std::string, std::string>> dictionary;

 private:
  bool is_remembered_ = false;
};

}  // namespace

PickledTree pickle_tree(const Module& root) {
  Pickler pickler;
  const std::string model = pickler.module(root);
  pickler.tree.object = record({{"epoch", integer(-1)}, {"model", model}});
  return std::move(pickler.tree);
}

PickledTree pickle_tensors(const Module& root) {
  Pickler pickler;
  pickler.tensors_of(root, "");
  pickler.tree.object = record(pickler.dictionary);
  return std::move(pickler.tree);
}

std::vector<std::byte> zip_file(const PickledTree& tree) {
  return torch_file(tree.object, tree.storages);
}

std::vector<std::byte> legacy_file(const PickledTree& tree) {
  std::string file("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20j\xa8P\x19.", 15);
  file += whole(integer(1001)) + whole(record({{"little_endian", kTrue}})) + whole(tree.object);
  std::vector<std::string> keys;
  for (const auto& [key, bytes] : tree.storages) keys.push_back(text(key));
  file += whole(list(keys));
  for (size_t i = 0; i < keys.size(); ++i) {
    file += little_endian(static_cast<uint64_t>(tree.elements[i]), 8) + tree.storages[i].second;
  }
  return as_bytes(file);
}

}  // namespace yolocu::testing
