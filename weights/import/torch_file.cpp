#include "weights/import/torch_file.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/base/checked.h"
#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"
#include "weights/import/tensor_gather.h"
#include "weights/import/torch_legacy.h"

namespace yolocu {
namespace {

using Kind = PickleObject::Kind;

constexpr std::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils _rebuild_parameter";

// The pickle of the largest official network with its optimizer state has under 2 MB.
constexpr int64_t kMaxPickleBytes = int64_t{64} << 20;
// torch.save does not compress and a storage hardly does; what grows more is a bomb.
constexpr int64_t kMaxStorageGrowth = 16;
constexpr int64_t kMaxRepeats = 4;
// Small files may repeat their few elements more often (a broadcast scalar).
constexpr int64_t kFreeElements = 1 << 20;

// "<top>/" of the one member "<top>/data.pkl".
Result<std::string> find_top_folder(const ZipArchive& archive) {
  constexpr std::string_view kPickle = "/data.pkl";
  std::vector<std::string> tops;
  for (const std::string& name : archive.names()) {
    if (!name.ends_with(kPickle)) continue;
    tops.push_back(name.substr(0, name.size() - kPickle.size() + 1));
  }
  if (tops.size() == 1) return tops[0];
  return corrupt(str_cat("not a PyTorch checkpoint: expected one member <top>/data.pkl, found ",
                         tops.size(), " among ", archive.names().size(), " members"));
}

Status check_form(const ZipArchive& archive, const std::string& top) {
  if (archive.contains(top + "constants.pkl")) {
    return unsupported(
        "a TorchScript program, not a checkpoint of torch.save: it would have to be "
        "executed to be understood");
  }
  const std::string byte_order = top + "byteorder";
  if (!archive.contains(byte_order)) return {};
  YOLOCU_ASSIGN_OR_RETURN(const auto bytes, archive.read(byte_order, 64));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text == "little") return {};
  return unsupported(str_cat("byte order '", printable(text), "', expected 'little'"));
}

Result<int64_t> integer_of(const PickleObject& object, std::string_view what) {
  if (object.kind == Kind::kInt) return object.integer;
  return corrupt(str_cat("tensor: ", what, " is not an integer"));
}

Result<std::vector<int64_t>> integers_of(const PickleObject& object, std::string_view what) {
  constexpr size_t kMaxDimensions = 64;  // of PyTorch
  if (object.kind != Kind::kTuple || object.items.size() > kMaxDimensions) {
    return corrupt(str_cat("tensor: ", what, " is not a tuple of at most ", kMaxDimensions));
  }
  std::vector<int64_t> values;
  for (const PickleRef item : object.items) {
    YOLOCU_ASSIGN_OR_RETURN(values.emplace_back(), integer_of(*item, what));
  }
  return values;
}

bool is_call_of(PickleRef object, std::string_view callee) {
  return object->kind == Kind::kCall && object->text == callee;
}

}  // namespace

std::optional<DType> storage_dtype(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, DType>, 10> kTypes = {{
      {"torch FloatStorage", DType::kF32},
      {"torch HalfStorage", DType::kF16},
      {"torch BFloat16Storage", DType::kBF16},
      {"torch DoubleStorage", DType::kF64},
      {"torch LongStorage", DType::kI64},
      {"torch IntStorage", DType::kI32},
      {"torch ShortStorage", DType::kI16},
      {"torch CharStorage", DType::kI8},
      {"torch ByteStorage", DType::kU8},
      {"torch BoolStorage", DType::kU8},
  }};
  for (const auto& [name, dtype] : kTypes) {
    if (name == type) return dtype;
  }
  return std::nullopt;
}

Result<StorageId> parse_storage_id(PickleRef object) {
  const auto malformed = [] {
    return corrupt("tensor: expected a storage ('storage', type, key, device, elements)");
  };
  if (object->kind != Kind::kPersistentId) return malformed();
  const PickleObject& id = *object->items[0];
  if (id.kind != Kind::kTuple || id.items.size() < 5 || id.items.size() > 6) return malformed();
  const PickleObject& type = *id.items[1];
  const PickleObject& key = *id.items[2];
  const PickleObject& elements = *id.items[4];
  if (id.items[0]->text != "storage" || type.kind != Kind::kGlobal || key.kind != Kind::kString ||
      elements.kind != Kind::kInt) {
    return malformed();
  }
  if (id.items.size() == 6 && id.items[5]->kind != Kind::kNone) {  // of PyTorch before 0.4
    return unsupported(str_cat("storage '", printable(key.text), "' is a view of another one"));
  }
  return StorageId{.type = type.text, .key = key.text, .elements = elements.integer};
}

TorchFile::TorchFile(PickleTree tree, int64_t storage_limit_bytes)
    : tree_(std::move(tree)), storage_bytes_left_(storage_limit_bytes) {}

Result<TorchFile> TorchFile::open(std::span<const std::byte> bytes) {
  constexpr int64_t kMinLimit = int64_t{64} << 20;
  const int64_t limit = kMinLimit + kMaxStorageGrowth * static_cast<int64_t>(bytes.size());
  if (is_legacy_torch_file(bytes)) {
    YOLOCU_ASSIGN_OR_RETURN(LegacyTorchFile legacy, read_legacy_torch_file(bytes));
    TorchFile file(std::move(legacy.tree), limit);
    file.legacy_storages_ = std::move(legacy.storages);
    return file;
  }
  YOLOCU_ASSIGN_OR_RETURN(ZipArchive archive, ZipArchive::open(bytes));
  YOLOCU_ASSIGN_OR_RETURN(const std::string top, find_top_folder(archive));
  YOLOCU_RETURN_IF_ERROR(check_form(archive, top));
  YOLOCU_ASSIGN_OR_RETURN(const auto pickle, archive.read(top + "data.pkl", kMaxPickleBytes));
  YOLOCU_ASSIGN_OR_RETURN(PickleTree tree, read_pickle(pickle));
  TorchFile file(std::move(tree), limit);
  file.archive_ = std::move(archive);
  file.prefix_ = top + "data/";
  return file;
}

bool TorchFile::is_tensor(PickleRef object) {
  return is_call_of(object, kRebuildTensor) || is_call_of(object, kRebuildParameter);
}

std::optional<int64_t> TorchFile::stored_bytes(const std::string& key) const {
  if (archive_) return archive_->size_bytes(prefix_ + key);
  const auto found = legacy_storages_.find(key);
  if (found == legacy_storages_.end()) return std::nullopt;
  return static_cast<int64_t>(found->second.size());
}

Result<MemberBytes> TorchFile::view_bytes(const std::string& key) const {
  if (archive_) return archive_->view(prefix_ + key, storage_bytes_left_);
  return MemberBytes{.bytes = legacy_storages_.find(key)->second, .owner = nullptr};
}

Result<TorchFile::Storage> TorchFile::read_storage(const StorageId& id) {
  const std::optional<DType> dtype = storage_dtype(id.type);
  if (!dtype) return unsupported(str_cat("element type '", id.type, "' is not known"));
  const auto expected = checked_mul(id.elements, yolocu::size_bytes(*dtype));
  if (!expected) {
    return corrupt(str_cat(id.elements, " elements of '", id.type, "' are not possible"));
  }
  const std::optional<int64_t> actual = stored_bytes(id.key);
  if (!actual || *actual != *expected) {
    return corrupt(str_cat("member '", printable(prefix_ + id.key), "': expected ", *expected,
                           " bytes for ", id.elements, " elements of '", id.type, "', got ",
                           actual ? std::to_string(*actual) : "no such member"));
  }
  YOLOCU_ASSIGN_OR_RETURN(MemberBytes data, view_bytes(id.key));
  return Storage{.dtype = *dtype, .elements = id.elements, .data = std::move(data)};
}

Result<const TorchFile::Storage*> TorchFile::storage(PickleRef persistent_id) {
  YOLOCU_ASSIGN_OR_RETURN(const StorageId id, parse_storage_id(persistent_id));
  if (const auto found = storages_.find(id.key); found != storages_.end()) {
    const Storage& known = found->second;
    if (known.elements == id.elements && storage_dtype(id.type) == known.dtype) return &known;
    return corrupt(str_cat("storage '", printable(id.key), "' has two types or sizes"));
  }
  Result<Storage> read = read_storage(id);
  if (!read.ok()) {
    return read.status().with_context(str_cat("storage '", printable(id.key), "'"));
  }
  storage_bytes_left_ -= static_cast<int64_t>(read->data.bytes.size());
  storage_elements_ += read->elements;
  return &storages_.emplace(id.key, std::move(*read)).first->second;
}

// _rebuild_tensor_v2(storage, offset, size, strides, requires_grad, backward hooks)
Result<ImportedTensor> TorchFile::rebuild(const PickleObject& call) {
  if (call.items.size() < 4) {
    return corrupt(str_cat("tensor: expected 4 or more arguments, got ", call.items.size()));
  }
  YOLOCU_ASSIGN_OR_RETURN(const Storage* from, storage(call.items[0]));
  StridedView view;
  YOLOCU_ASSIGN_OR_RETURN(view.offset, integer_of(*call.items[1], "offset"));
  YOLOCU_ASSIGN_OR_RETURN(view.shape, integers_of(*call.items[2], "size"));
  YOLOCU_ASSIGN_OR_RETURN(view.strides, integers_of(*call.items[3], "stride"));
  YOLOCU_ASSIGN_OR_RETURN(const int64_t count, check_view(view, from->elements));
  const int64_t limit = kFreeElements + kMaxRepeats * storage_elements_;
  if (count > limit - gathered_elements_) {
    return resource_exhausted(str_cat("tensor of ", count,
                                      " elements: the file's tensors repeat its ",
                                      storage_elements_, " stored elements too often"));
  }
  gathered_elements_ += count;
  return ImportedTensor{.shape = std::move(view.shape),
                        .strides = std::move(view.strides),
                        .offset = view.offset,
                        .source_dtype = from->dtype,
                        .storage = from->data.bytes,
                        .owner = from->data.owner};
}

Result<std::shared_ptr<const ImportedTensor>> TorchFile::tensor(PickleRef object) {
  if (is_call_of(object, kRebuildParameter)) {
    if (object->items.empty()) return corrupt("parameter without a tensor");
    object = object->items[0];
  }
  if (!is_call_of(object, kRebuildTensor)) return corrupt("expected a tensor");
  if (const auto found = tensors_.find(object); found != tensors_.end()) return found->second;
  YOLOCU_ASSIGN_OR_RETURN(ImportedTensor rebuilt, rebuild(*object));
  auto shared = std::make_shared<const ImportedTensor>(std::move(rebuilt));
  tensors_.emplace(object, shared);
  return shared;
}

}  // namespace yolocu
