// From the pickled objects of a .pt file to a checkpoint: read_torch_checkpoint().
#include <algorithm>
#include <exception>
#include <map>
#include <string_view>
#include <utility>

#include "engine/base/str_cat.h"
#include "weights/import/arch/from_state_dict.h"
#include "weights/import/arch/state_dict.h"
#include "weights/import/module_tree.h"
#include "weights/import/pickle.h"
#include "weights/import/torch_file.h"
#include "weights/import/torch_modules.h"

namespace yolocu {
namespace {

using Kind = PickleObject::Kind;

constexpr size_t kMaxClasses = 100'000;
constexpr size_t kMaxNameLength = 1024;

// `ema` if it is a model, else `model`; or the file's only object; nullptr if none is a model.
PickleRef find_model(PickleRef root) {
  if (is_module(root)) return root;
  if (root->kind != Kind::kDict) return nullptr;
  for (const std::string_view key : {"ema", "model"}) {
    if (const PickleRef value = root->find(key); is_module(value)) return value;
  }
  return nullptr;
}

Result<Dialect> dialect_of(std::string_view type) {
  if (type == "models.yolo DetectionModel") return Dialect::kYolov9;
  if (type == "models.yolo Model") return Dialect::kYolov7;
  if (type.starts_with("ultralytics.nn.tasks ")) return Dialect::kUltralytics;
  return unsupported(str_cat("model class '", type, "': expected models.yolo.DetectionModel ",
                             "(YOLOv9), models.yolo.Model (YOLOv7) or ultralytics.nn.tasks"));
}

Status bad_class_names(std::string_view why) {
  return corrupt(str_cat("class names: ", why));
}

// `names`: a list, or a dictionary from 0..n-1 (in any order; a later entry replaces an earlier).
Result<std::map<int64_t, PickleRef>> numbered_names(const PickleObject& names) {
  std::map<int64_t, PickleRef> numbered;
  if (names.kind == Kind::kDict) {
    for (const auto& [key, value] : names.pairs) {
      if (key->kind != Kind::kInt) return bad_class_names("a key is not an integer");
      numbered[key->integer] = value;
    }
  } else if (names.kind == Kind::kList || names.kind == Kind::kTuple) {
    for (const PickleRef item : names.items) {
      numbered[static_cast<int64_t>(numbered.size())] = item;
    }
  }
  return numbered;
}

Result<std::vector<std::string>> class_names_of(PickleRef names) {
  std::vector<std::string> texts;
  if (names == nullptr) return texts;
  YOLOCU_ASSIGN_OR_RETURN(const auto numbered, numbered_names(*names));
  if (numbered.size() > kMaxClasses) return bad_class_names("more than 100000");
  for (const auto& [number, name] : numbered) {
    if (number != static_cast<int64_t>(texts.size())) {
      return bad_class_names(str_cat("expected number ", texts.size(), ", got ", number));
    }
    if (name->kind != Kind::kString || name->text.size() > kMaxNameLength) {
      return bad_class_names(str_cat("number ", number, " is not a text of reasonable length"));
    }
    texts.push_back(name->text);
  }
  return texts;
}

// "gelan-c" of `yaml_file`, which the model or its `yaml` dictionary may have: "cfg/gelan-c.yaml".
std::string architecture_of(const PickleObject& dict) {
  PickleRef file = dict.find("yaml_file");
  if (const PickleRef yaml = dict.find("yaml"); file == nullptr && yaml != nullptr) {
    file = yaml->find("yaml_file");
  }
  if (file == nullptr || file->kind != Kind::kString || file->text.size() > kMaxNameLength) {
    return {};
  }
  std::string_view name = file->text;
  name.remove_prefix(name.find_last_of("/\\") + 1);  // npos + 1 is 0
  return std::string(name.substr(0, name.find(".y")));
}

Result<Checkpoint> read_model(TorchFile& file, PickleRef model) {
  Checkpoint checkpoint;
  YOLOCU_ASSIGN_OR_RETURN(checkpoint.dialect, dialect_of(model->text));
  YOLOCU_ASSIGN_OR_RETURN(checkpoint.model, build_module_tree(file, model));
  if (const PickleRef dict = instance_dict(*model)) {
    YOLOCU_ASSIGN_OR_RETURN(checkpoint.class_names, class_names_of(dict->find("names")));
    checkpoint.architecture = architecture_of(*dict);
  }
  return checkpoint;
}

Result<Checkpoint> read_checkpoint(std::span<const std::byte> bytes,
                                   const std::string& architecture) {
  YOLOCU_ASSIGN_OR_RETURN(TorchFile file, TorchFile::open(bytes));
  if (const PickleRef model = find_model(file.root())) {
    if (architecture.empty()) return read_model(file, model);
    return invalid_argument("the checkpoint has its model's modules; --arch is for files without");
  }
  const PickleRef tensors = find_tensor_dict(file.root());
  if (tensors == nullptr) {
    return unsupported(str_cat(
        "expected a checkpoint that pickles its model (a dictionary with ",
        "'model' or 'ema', as the training code saves it) or a state ", "dictionary, found ",
        file.root()->kind == Kind::kDict ? "no module and no tensors under these keys"
                                         : "neither a dictionary nor a model"));
  }
  YOLOCU_ASSIGN_OR_RETURN(StateDict dict, read_torch_state_dict(file, tensors));
  YOLOCU_ASSIGN_OR_RETURN(dict.class_names, class_names_of(file.root()->find("names")));
  return checkpoint_from_state_dict(dict, architecture);
}

}  // namespace

Result<Checkpoint> read_torch_checkpoint(std::span<const std::byte> bytes,
                                         const std::string& architecture) {
  try {
    return read_checkpoint(bytes, architecture);
  } catch (const std::exception& error) {  // std::bad_alloc of a file near the limits
    return resource_exhausted(str_cat("checkpoint: ", error.what()));
  }
}

}  // namespace yolocu
