// The part of the pickle machine that meets names, calls and the memo.
#include <algorithm>
#include <string>

#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"
#include "weights/import/pickle_globals.h"
#include "weights/import/pickle_reader.h"

namespace yolocu {
namespace {

using Kind = PickleObject::Kind;

bool is_sequence(const PickleObject& object) {
  return object.kind == Kind::kList || object.kind == Kind::kTuple || object.kind == Kind::kSet;
}

bool is_pair(const PickleObject& object) {
  return (object.kind == Kind::kList || object.kind == Kind::kTuple) && object.items.size() == 2;
}

}  // namespace

// --- names ---

Status PickleReader::push_global(std::string_view module, std::string_view name) {
  std::string global = str_cat(module, " ", name);
  if (!is_allowed_global(global)) {
    return unsupported(str_cat("pickle: refuses global '", printable(global), "' at byte ",
                               opcode_at_,
                               ": checkpoints may only name known data and module classes"));
  }
  push(Kind::kGlobal)->text = std::move(global);
  return {};
}

Status PickleReader::global(const Opcode&) {
  YOLOCU_ASSIGN_OR_RETURN(const std::string_view module, take_line());
  YOLOCU_ASSIGN_OR_RETURN(const std::string_view name, take_line());
  return push_global(module, name);
}

Status PickleReader::stack_global(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(2));
  const PickleObject* name = pop();
  const PickleObject* module = pop();
  if (name->kind != Kind::kString || module->kind != Kind::kString) {
    return broken("STACK_GLOBAL of something that is not text");
  }
  // Cut before they are joined: memoised names of any length cost two bytes each.
  constexpr size_t kShown = 256;
  return push_global(std::string_view(module->text).substr(0, kShown),
                     std::string_view(name->text).substr(0, kShown));
}

Status PickleReader::persistent_id(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(1));
  const PickleObject* id = pop();
  push(Kind::kPersistentId)->items.push_back(id);
  return {};
}

// --- calls, which are recorded and never made ---

Status PickleReader::reduce(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(2));
  const PickleObject& arguments = *pop();
  const PickleObject& callee = *pop();
  if (callee.kind != Kind::kGlobal || arguments.kind != Kind::kTuple) {
    return broken("REDUCE of something that is not a global and a tuple");
  }
  switch (classify_global(callee.text)) {
    case GlobalKind::kDict: return push_dict(arguments);
    case GlobalKind::kSet: return push_set(arguments);
    case GlobalKind::kModuleClass:
    case GlobalKind::kDataClass:
    case GlobalKind::kFunction: return push_call(callee, arguments);
    case GlobalKind::kName:
    case GlobalKind::kRefused: break;
  }
  return broken(str_cat("REDUCE calls '", callee.text, "', which is only a name,"));
}

Status PickleReader::new_object(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(2));
  const PickleObject& arguments = *pop();
  const PickleObject& callee = *pop();
  if (callee.kind != Kind::kGlobal || arguments.kind != Kind::kTuple) {
    return broken("NEWOBJ of something that is not a class and a tuple");
  }
  const GlobalKind kind = classify_global(callee.text);
  if (kind == GlobalKind::kModuleClass || kind == GlobalKind::kDataClass) {
    return push_call(callee, arguments);
  }
  return broken(str_cat("NEWOBJ of '", callee.text, "', which is not a class,"));
}

Status PickleReader::push_call(const PickleObject& callee, const PickleObject& arguments) {
  YOLOCU_RETURN_IF_ERROR(spend(arguments.items.size()));
  PickleObject* call = push(Kind::kCall);
  call->text = callee.text;
  call->items = arguments.items;
  return {};
}

// dict(), dict([(key, value), ...])
Status PickleReader::push_dict(const PickleObject& arguments) {
  PickleObject* dict = push(Kind::kDict);
  if (arguments.items.empty()) return {};
  const PickleObject& pairs = *arguments.items[0];
  if (arguments.items.size() > 1 || !is_sequence(pairs)) {
    return broken("dictionary made of something that is not a list of pairs");
  }
  YOLOCU_RETURN_IF_ERROR(spend(pairs.items.size()));
  for (const PickleRef pair : pairs.items) {
    if (!is_pair(*pair)) return broken("dictionary made of something that is not a pair");
    dict->pairs.emplace_back(pair->items[0], pair->items[1]);
  }
  return {};
}

// set(), set([item, ...])
Status PickleReader::push_set(const PickleObject& arguments) {
  PickleObject* set = push(Kind::kSet);
  if (arguments.items.empty()) return {};
  const PickleObject& items = *arguments.items[0];
  if (arguments.items.size() > 1 || !is_sequence(items)) {
    return broken("set made of something that is not a list");
  }
  YOLOCU_RETURN_IF_ERROR(spend(items.items.size()));
  set->items = items.items;
  return {};
}

Status PickleReader::build(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(2));
  const PickleObject* state = pop();
  PickleObject* target = stack_.back();
  if (target->kind != Kind::kCall && target->kind != Kind::kDict) {
    return broken("BUILD of something that is not an object");
  }
  target->state = state;
  return {};
}

// --- memo ---

Status PickleReader::put(const Opcode& opcode) {
  YOLOCU_ASSIGN_OR_RETURN(const uint64_t index, take_unsigned(opcode.width));
  return store_memo(index);
}

Status PickleReader::memoize(const Opcode&) {
  return store_memo(memo_.size());
}

Status PickleReader::store_memo(uint64_t index) {
  YOLOCU_RETURN_IF_ERROR(need(1));
  // Picklers number entries from 0, and each takes at least two bytes.
  if (index >= bytes_.size())
    return broken(str_cat("memo entry ", index, " in a pickle this short"));
  memo_.resize(std::max(memo_.size(), static_cast<size_t>(index) + 1), nullptr);
  memo_[static_cast<size_t>(index)] = stack_.back();
  return {};
}

Status PickleReader::get(const Opcode& opcode) {
  YOLOCU_ASSIGN_OR_RETURN(const uint64_t index, take_unsigned(opcode.width));
  if (index >= memo_.size() || memo_[static_cast<size_t>(index)] == nullptr) {
    return broken(str_cat("unknown memo entry ", index));
  }
  stack_.push_back(memo_[static_cast<size_t>(index)]);
  return {};
}

}  // namespace yolocu
