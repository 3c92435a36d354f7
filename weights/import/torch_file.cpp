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

// torch.save before 1.6: a magic number as a LONG1 of ten bytes, alone in the first pickle.
bool is_legacy_form(std::span<const std::byte> bytes) {
  constexpr std::array<uint8_t, 14> kMagic = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                              0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  return bytes.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), bytes.begin(),
                    [](uint8_t a, std::byte b) { return a == std::to_integer<uint8_t>(b); });
}

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

TorchFile::TorchFile(ZipArchive archive, PickleTree tree, std::string prefix,
                     int64_t storage_limit_bytes)
    : archive_(std::move(archive)),
      tree_(std::move(tree)),
      prefix_(std::move(prefix)),
      storage_bytes_left_(storage_limit_bytes) {}

Result<TorchFile> TorchFile::open(std::span<const std::byte> bytes) {
  if (is_legacy_form(bytes)) {
    return unsupported(
        "the legacy form of torch.save (before PyTorch 1.6), which is not a zip "
        "archive: load it and save it again with a newer PyTorch");
  }
  YOLOCU_ASSIGN_OR_RETURN(ZipArchive archive, ZipArchive::open(bytes));
  YOLOCU_ASSIGN_OR_RETURN(const std::string top, find_top_folder(archive));
  YOLOCU_RETURN_IF_ERROR(check_form(archive, top));
  YOLOCU_ASSIGN_OR_RETURN(const auto pickle, archive.read(top + "data.pkl", kMaxPickleBytes));
  YOLOCU_ASSIGN_OR_RETURN(PickleTree tree, read_pickle(pickle));
  constexpr int64_t kMinLimit = int64_t{64} << 20;
  const int64_t limit = kMinLimit + kMaxStorageGrowth * static_cast<int64_t>(bytes.size());
  return TorchFile(std::move(archive), std::move(tree), top + "data/", limit);
}

bool TorchFile::is_tensor(PickleRef object) {
  return is_call_of(object, kRebuildTensor) || is_call_of(object, kRebuildParameter);
}

Result<TorchFile::Storage> TorchFile::read_storage(const std::string& type, const std::string& key,
                                                   int64_t elements) {
  const std::optional<DType> dtype = storage_dtype(type);
  if (!dtype) return unsupported(str_cat("element type '", type, "' is not known"));
  const auto expected = checked_mul(elements, yolocu::size_bytes(*dtype));
  if (!expected) return corrupt(str_cat(elements, " elements of '", type, "' are not possible"));
  const std::string member = prefix_ + key;
  const std::optional<int64_t> actual = archive_.size_bytes(member);
  if (!actual || *actual != *expected) {
    return corrupt(str_cat("member '", printable(member), "': expected ", *expected, " bytes for ",
                           elements, " elements of '", type, "', got ",
                           actual ? std::to_string(*actual) : "no such member"));
  }
  YOLOCU_ASSIGN_OR_RETURN(MemberBytes data, archive_.view(member, storage_bytes_left_));
  return Storage{.dtype = *dtype, .elements = elements, .data = std::move(data)};
}

// persistent_id: the tuple ('storage', <storage type>, key, device, number of elements).
Result<const TorchFile::Storage*> TorchFile::storage(PickleRef persistent_id) {
  const auto malformed = [] {
    return corrupt("tensor: expected a storage ('storage', type, key, device, elements)");
  };
  if (persistent_id->kind != Kind::kPersistentId) return malformed();
  const PickleObject& id = *persistent_id->items[0];
  if (id.kind != Kind::kTuple || id.items.size() != 5) return malformed();
  const PickleObject& type = *id.items[1];
  const PickleObject& key = *id.items[2];
  const PickleObject& elements = *id.items[4];
  if (id.items[0]->text != "storage" || type.kind != Kind::kGlobal || key.kind != Kind::kString ||
      elements.kind != Kind::kInt) {
    return malformed();
  }
  if (const auto found = storages_.find(key.text); found != storages_.end()) {
    const Storage& known = found->second;
    if (known.elements == elements.integer && storage_dtype(type.text) == known.dtype) {
      return &known;
    }
    return corrupt(str_cat("storage '", printable(key.text), "' has two types or sizes"));
  }
  Result<Storage> read = read_storage(type.text, key.text, elements.integer);
  if (!read.ok()) {
    return read.status().with_context(str_cat("storage '", printable(key.text), "'"));
  }
  storage_bytes_left_ -= static_cast<int64_t>(read->data.bytes.size());
  storage_elements_ += read->elements;
  return &storages_.emplace(key.text, std::move(*read)).first->second;
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
