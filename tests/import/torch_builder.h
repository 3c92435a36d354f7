// Files as torch.save writes them, made in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/import/pickled.h"
#include "tests/import/zip_builder.h"

namespace yolocu::testing {

// The bytes of a storage: the elements as they lie in memory.
template <typename T>
std::string raw_elements(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// The persistent id of a storage.
inline std::string pickled_storage(const std::string& type, const std::string& key,
                                   int64_t elements) {
  using namespace pickled;  // NOLINT: a vocabulary made for this
  return tuple(
             {text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}) +
         "Q";
}

// torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, False, OrderedDict())
inline std::string pickled_tensor(const std::string& storage, int64_t offset,
                                  const std::vector<int64_t>& shape,
                                  const std::vector<int64_t>& strides) {
  using namespace pickled;  // NOLINT: a vocabulary made for this
  return reduce(global("torch._utils", "_rebuild_tensor_v2"),
                {storage, integer(offset), integers(shape), integers(strides), kFalse,
                 global("collections", "OrderedDict") + ")R"});
}

inline std::string pickled_parameter(const std::string& tensor) {
  using namespace pickled;  // NOLINT: a vocabulary made for this
  return reduce(global("torch._utils", "_rebuild_parameter"),
                {tensor, kTrue, global("collections", "OrderedDict") + ")R"});
}

// A module as torch pickles it. `state`: further attributes, key and pickled value.
struct PickledModule {
  std::string module = "models.common";
  std::string name = "Conv";
  std::vector<std::pair<std::string, std::string>> parameters = {};
  std::vector<std::pair<std::string, std::string>> buffers = {};
  std::vector<std::pair<std::string, std::string>> children = {};
  std::vector<std::pair<std::string, std::string>> state = {};
};

inline std::string pickled_module(const PickledModule& parts) {
  using namespace pickled;  // NOLINT: a vocabulary made for this
  std::vector<std::pair<std::string, std::string>> dict = {
      {"training", kFalse},
      {"_parameters", record(parts.parameters)},
      {"_buffers", record(parts.buffers)},
      {"_forward_hooks", global("collections", "OrderedDict") + ")R"},
      {"_modules", record(parts.children)}};
  dict.insert(dict.end(), parts.state.begin(), parts.state.end());
  return instance(global(parts.module, parts.name), record(dict));
}

// The zip file around the opcodes of one object; storages: key and bytes.
inline std::vector<std::byte> torch_file(
    const std::string& object, const std::vector<std::pair<std::string, std::string>>& storages,
    ZipMethod method = ZipMethod::kStored) {
  std::vector<std::pair<std::string, std::string>> members = {
      {"best/data.pkl", pickled::whole(object)}, {"best/byteorder", "little"}};
  for (const auto& [key, bytes] : storages) members.emplace_back("best/data/" + key, bytes);
  members.emplace_back("best/version", "3\n");
  return build_zip(members, method);
}

}  // namespace yolocu::testing
