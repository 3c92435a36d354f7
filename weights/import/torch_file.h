// A file of torch.save. Its zip form: one pickle of the object, one member for each tensor storage.
//
//   <top>/data.pkl      the pickle (pickle.h)
//   <top>/data/<key>    raw elements of the storage `key`
//   <top>/byteorder     "little"; absent in older files
//
// <top> is whatever the file was called when it was saved. Older files have the legacy form
// (torch_legacy.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/dtype.h"
#include "weights/import/module_tree.h"
#include "weights/import/pickle.h"
#include "weights/import/zip_archive.h"
#include "yolocu/status.h"

namespace yolocu {

// What the persistent id of a storage says.
struct StorageId {
  std::string type;  // "torch FloatStorage"
  std::string key;
  int64_t elements = 0;
};

// kCorrupt unless `object` is ('storage', <storage type>, key, device, number of elements[, None]).
Result<StorageId> parse_storage_id(PickleRef object);

// The elements of a storage type; nullopt if it is not known.
std::optional<DType> storage_dtype(std::string_view type);

class TorchFile {
 public:
  // `bytes` outlive the file and all its tensors. kUnsupported: TorchScript, big-endian data;
  // otherwise what zip_archive.h, torch_legacy.h and pickle.h refuse.
  static Result<TorchFile> open(std::span<const std::byte> bytes);

  // The pickled object; lives as long as the TorchFile.
  PickleRef root() const { return tree_.root(); }

  // Whether `object` is a tensor or a parameter, whole or broken.
  static bool is_tensor(PickleRef object);

  // A tensor as a view into its storage, which lies in the file's bytes (or, if it was compressed,
  // belongs to the tensors that view it). Equal objects give the same tensor. Errors name the
  // storage: strides that leave it, a size that is not its member's, a type that is not known.
  // kResourceExhausted if tensors repeat storage elements more than a few times over, as strides of
  // 0 could without limit.
  Result<std::shared_ptr<const ImportedTensor>> tensor(PickleRef object);

 private:
  struct Storage {
    DType dtype = DType::kF32;
    int64_t elements = 0;
    MemberBytes data;
  };

  TorchFile(PickleTree tree, int64_t storage_limit_bytes);
  Result<const Storage*> storage(PickleRef persistent_id);
  Result<Storage> read_storage(const StorageId& id);
  std::optional<int64_t> stored_bytes(const std::string& key) const;
  Result<MemberBytes> view_bytes(const std::string& key) const;
  Result<ImportedTensor> rebuild(const PickleObject& call);

  PickleTree tree_;
  std::optional<ZipArchive> archive_;  // of the zip form
  std::string prefix_;                 // "archive/data/"
  std::map<std::string, std::span<const std::byte>, std::less<>> legacy_storages_;
  int64_t storage_bytes_left_;
  int64_t storage_elements_ = 0;   // of all storages read so far
  int64_t gathered_elements_ = 0;  // of all tensors made so far, as if gathered
  std::map<std::string, Storage> storages_;
  std::unordered_map<PickleRef, std::shared_ptr<const ImportedTensor>> tensors_;
};

}  // namespace yolocu
