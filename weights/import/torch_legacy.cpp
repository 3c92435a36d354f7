#include "weights/import/torch_legacy.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "engine/base/checked.h"
#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"
#include "weights/import/torch_file.h"

namespace yolocu {
namespace {

using Kind = PickleObject::Kind;

// PROTO 2, LONG1 of ten bytes, STOP: a whole pickle, which the reader would refuse, since no number
// of ours has ten bytes.
constexpr std::array<uint8_t, 15> kMagic = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                            0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
constexpr int64_t kProtocolVersion = 1001;

// Takes one thing after the other from the front of the file.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> rest) : rest_(rest) {}

  Result<PickleTree> pickle() {
    YOLOCU_ASSIGN_OR_RETURN(PickleTree tree, read_pickle(rest_));
    rest_ = rest_.subspan(tree.consumed());
    return tree;
  }

  Result<std::span<const std::byte>> bytes(int64_t count) {
    if (count < 0 || static_cast<uint64_t>(count) > rest_.size()) {
      return corrupt(str_cat("truncated, ", count, " bytes expected and ", rest_.size(), " left"));
    }
    const auto taken = rest_.first(static_cast<size_t>(count));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

  Result<int64_t> int64() {
    YOLOCU_ASSIGN_OR_RETURN(const auto raw, bytes(8));
    int64_t value = 0;  // little-endian, as this machine (tensor_gather.cpp)
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

 private:
  std::span<const std::byte> rest_;
};

Status check_system(Cursor& cursor) {
  YOLOCU_ASSIGN_OR_RETURN(const PickleTree version, cursor.pickle());
  if (version.root()->kind != Kind::kInt || version.root()->integer != kProtocolVersion) {
    return unsupported(str_cat("legacy form: protocol version is not ", kProtocolVersion));
  }
  YOLOCU_ASSIGN_OR_RETURN(const PickleTree system, cursor.pickle());
  const PickleRef little = system.root()->find("little_endian");
  if (little != nullptr && little->kind == Kind::kBool && little->integer == 1) return {};
  return unsupported("legacy form: byte order is not 'little'");
}

// Element type of each storage that the object names.
Result<std::map<std::string, DType, std::less<>>> storage_types(const PickleTree& tree) {
  std::map<std::string, DType, std::less<>> types;
  for (const PickleObject& object : tree.objects()) {
    if (object.kind != Kind::kPersistentId) continue;
    YOLOCU_ASSIGN_OR_RETURN(const StorageId id, parse_storage_id(&object));
    const auto dtype = storage_dtype(id.type);
    if (!dtype) return unsupported(str_cat("element type '", id.type, "' is not known"));
    types[id.key] = *dtype;
  }
  return types;
}

}  // namespace

bool is_legacy_torch_file(std::span<const std::byte> bytes) {
  return bytes.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), bytes.begin(),
                    [](uint8_t a, std::byte b) { return a == std::to_integer<uint8_t>(b); });
}

Result<LegacyTorchFile> read_legacy_torch_file(std::span<const std::byte> bytes) {
  Cursor cursor(bytes.subspan(kMagic.size()));
  YOLOCU_RETURN_IF_ERROR(check_system(cursor));
  LegacyTorchFile file;
  YOLOCU_ASSIGN_OR_RETURN(file.tree, cursor.pickle());
  YOLOCU_ASSIGN_OR_RETURN(const PickleTree keys, cursor.pickle());
  if (keys.root()->kind != Kind::kList) return corrupt("legacy form: no list of storages");
  YOLOCU_ASSIGN_OR_RETURN(const auto types, storage_types(file.tree));
  for (const PickleRef key : keys.root()->items) {
    const auto type = types.find(key->text);
    if (key->kind != Kind::kString || type == types.end()) {
      return corrupt(str_cat("legacy form: storage '", printable(key->text), "' is not used"));
    }
    YOLOCU_ASSIGN_OR_RETURN(const int64_t elements, cursor.int64());
    const auto size = checked_mul(elements, size_bytes(type->second));
    auto storage = cursor.bytes(size.value_or(-1));
    if (!storage.ok()) {
      return storage.status().with_context(str_cat("storage '", printable(key->text), "'"));
    }
    if (!file.storages.emplace(key->text, *storage).second) {
      return corrupt(str_cat("legacy form: storage '", printable(key->text), "' occurs twice"));
    }
  }
  return file;
}

}  // namespace yolocu
