#include "weights/import/pickle_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

using Kind = PickleObject::Kind;

// Longer than any allowed name, so that no other part has to bound it.
constexpr size_t kMaxLineLength = 256;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Two's complement, little-endian; false if the value does not fit 64 bits.
bool decode_long(std::span<const std::byte> bytes, int64_t* value) {
  const bool negative = !bytes.empty() && (bytes.back() & std::byte{0x80}) != std::byte{0};
  const std::byte fill = negative ? std::byte{0xFF} : std::byte{0};
  uint64_t bits = 0;
  for (size_t i = 0; i < std::max<size_t>(bytes.size(), 8); ++i) {
    const std::byte byte = i < bytes.size() ? bytes[i] : fill;
    if (i < 8) {
      bits |= std::to_integer<uint64_t>(byte) << (8 * i);
    } else if (byte != fill) {
      return false;
    }
  }
  *value = static_cast<int64_t>(bits);
  return (*value < 0) == negative;
}

}  // namespace

PickleReader::PickleReader(std::span<const std::byte> bytes)
    : bytes_(bytes),
      none_(make(Kind::kNone)),
      true_(make(Kind::kBool)),
      false_(make(Kind::kBool)),
      empty_tuple_(make(Kind::kTuple)) {
  true_->integer = 1;
}

Status PickleReader::broken(std::string_view what) const {
  return corrupt(str_cat("pickle: ", what, " at byte ", opcode_at_));
}

// --- input ---

Result<std::span<const std::byte>> PickleReader::take(uint64_t count) {
  const size_t left = bytes_.size() - position_;
  if (count > left) {
    return broken(str_cat("truncated, ", count, " bytes expected and ", left, " left"));
  }
  const auto taken = bytes_.subspan(position_, static_cast<size_t>(count));
  position_ += taken.size();
  return taken;
}

Result<uint64_t> PickleReader::take_unsigned(size_t width) {
  YOLOCU_ASSIGN_OR_RETURN(const auto raw, take(width));
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) value |= std::to_integer<uint64_t>(raw[i]) << (8 * i);
  return value;
}

Result<std::string_view> PickleReader::take_line() {
  const std::string_view rest =
      as_text(bytes_.subspan(position_, std::min(bytes_.size() - position_, kMaxLineLength)));
  const size_t newline = rest.find('\n');
  if (newline == std::string_view::npos) return broken("GLOBAL without the end of its line");
  position_ += newline + 1;
  return rest.substr(0, newline);
}

Status PickleReader::proto(const Opcode&) {
  YOLOCU_ASSIGN_OR_RETURN(const uint64_t version, take_unsigned(1));
  if (opcode_at_ != 0) return broken("second PROTO");
  if (version >= 2 && version <= 5) return {};
  return unsupported(str_cat("pickle: protocol ", version, ", expected 2 to 5"));
}

Status PickleReader::frame(const Opcode&) {
  YOLOCU_ASSIGN_OR_RETURN(const uint64_t length, take_unsigned(8));
  if (length <= bytes_.size() - position_) return {};
  return broken(str_cat("FRAME of ", length, " bytes with ", bytes_.size() - position_, " left"));
}

Status PickleReader::stop(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(1));
  if (!marks_.empty() || stack_.size() != 1) return broken("STOP with unfinished objects");
  tree_.root_ = pop();
  stopped_ = true;
  return {};
}

// --- stack ---

Status PickleReader::need(size_t count) const {
  const size_t reachable = stack_.size() - base();
  if (reachable >= count) return {};
  return broken(str_cat("stack underflow, ", count, " objects expected and ", reachable, " there"));
}

PickleObject* PickleReader::pop() {
  PickleObject* object = stack_.back();
  stack_.pop_back();
  return object;
}

Status PickleReader::mark(const Opcode&) {
  marks_.push_back(stack_.size());
  return {};
}

Status PickleReader::pop_one(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(1));
  stack_.pop_back();
  return {};
}

Status PickleReader::pop_mark(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(marked().status());
  drop_marked();
  return {};
}

Result<std::span<PickleObject* const>> PickleReader::marked() const {
  if (marks_.empty()) return broken("no MARK to go back to");
  return std::span<PickleObject* const>(stack_).subspan(marks_.back());
}

void PickleReader::drop_marked() {
  stack_.resize(marks_.back());
  marks_.pop_back();
}

// --- plain values ---

PickleObject* PickleReader::make(Kind kind) {
  PickleObject& object = tree_.objects_.emplace_back();
  object.kind = kind;
  return &object;
}

PickleObject* PickleReader::push(Kind kind) {
  stack_.push_back(make(kind));
  return stack_.back();
}

Status PickleReader::push_none(const Opcode&) {
  stack_.push_back(none_);
  return {};
}

Status PickleReader::push_true(const Opcode&) {
  stack_.push_back(true_);
  return {};
}

Status PickleReader::push_false(const Opcode&) {
  stack_.push_back(false_);
  return {};
}

Status PickleReader::push_float(const Opcode&) {
  YOLOCU_ASSIGN_OR_RETURN(const auto raw, take(8));
  uint64_t bits = 0;  // big-endian, unlike all other operands
  for (const std::byte byte : raw) bits = bits << 8 | std::to_integer<uint64_t>(byte);
  push(Kind::kFloat)->number = std::bit_cast<double>(bits);
  return {};
}

Status PickleReader::push_int(const Opcode&) {
  YOLOCU_ASSIGN_OR_RETURN(const uint64_t bits, take_unsigned(4));
  push(Kind::kInt)->integer = static_cast<int32_t>(static_cast<uint32_t>(bits));
  return {};
}

Status PickleReader::push_unsigned(const Opcode& opcode) {
  YOLOCU_ASSIGN_OR_RETURN(const uint64_t value, take_unsigned(opcode.width));
  push(Kind::kInt)->integer = static_cast<int64_t>(value);
  return {};
}

Status PickleReader::push_long(const Opcode& opcode) {
  YOLOCU_ASSIGN_OR_RETURN(const uint64_t length, take_unsigned(opcode.width));
  YOLOCU_ASSIGN_OR_RETURN(const auto raw, take(length));
  int64_t value = 0;
  if (!decode_long(raw, &value)) {
    return unsupported(str_cat("pickle: integer of ", length, " bytes at byte ", opcode_at_,
                               " does not fit 64 bits"));
  }
  push(Kind::kInt)->integer = value;
  return {};
}

Status PickleReader::push_text(const Opcode& opcode) {
  YOLOCU_ASSIGN_OR_RETURN(const uint64_t length, take_unsigned(opcode.width));
  YOLOCU_ASSIGN_OR_RETURN(const auto raw, take(length));
  if (opcode.kind == Kind::kString && !is_utf8(as_text(raw)))
    return broken("text that is not UTF-8");
  push(opcode.kind)->text = as_text(raw);
  return {};
}

Status PickleReader::push_empty(const Opcode& opcode) {
  push(opcode.kind);
  return {};
}

// --- containers ---

Status PickleReader::tuple_of(const Opcode& opcode) {
  if (opcode.width == 0) {
    stack_.push_back(empty_tuple_);
    return {};
  }
  YOLOCU_RETURN_IF_ERROR(need(opcode.width));
  PickleObject* tuple = make(Kind::kTuple);
  tuple->items.assign(stack_.end() - static_cast<ptrdiff_t>(opcode.width), stack_.end());
  stack_.resize(stack_.size() - opcode.width);
  stack_.push_back(tuple);
  return {};
}

Status PickleReader::collect_marked(const Opcode& opcode) {
  YOLOCU_ASSIGN_OR_RETURN(const auto items, marked());
  PickleObject* collection = make(opcode.kind);
  collection->items.assign(items.begin(), items.end());
  drop_marked();
  stack_.push_back(collection);
  return {};
}

Status PickleReader::append(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(2));
  const PickleObject* item = pop();
  if (stack_.back()->kind != Kind::kList) return broken("APPEND to something that is not a list");
  stack_.back()->items.push_back(item);
  return {};
}

Status PickleReader::extend_marked(const Opcode& opcode) {
  YOLOCU_ASSIGN_OR_RETURN(const auto items, marked());
  const size_t mark_at = marks_.back();
  const size_t below = marks_.size() > 1 ? marks_[marks_.size() - 2] : 0;
  if (mark_at == below || stack_[mark_at - 1]->kind != opcode.kind) {
    return broken(str_cat(opcode.name, " without its container under the MARK"));
  }
  auto& target = stack_[mark_at - 1]->items;
  target.insert(target.end(), items.begin(), items.end());
  drop_marked();
  return {};
}

Status PickleReader::set_pairs(PickleObject* target,
                               std::span<PickleObject* const> keys_and_values) {
  if (target->kind != Kind::kDict && target->kind != Kind::kCall) {
    return broken("item set in something that is not a dictionary");
  }
  if (keys_and_values.size() % 2 != 0) return broken("key without a value");
  for (size_t i = 0; i < keys_and_values.size(); i += 2) {
    target->pairs.emplace_back(keys_and_values[i], keys_and_values[i + 1]);
  }
  return {};
}

Status PickleReader::set_item(const Opcode&) {
  YOLOCU_RETURN_IF_ERROR(need(3));
  PickleObject* value = pop();
  PickleObject* key = pop();
  return set_pairs(stack_.back(), std::array{key, value});
}

Status PickleReader::set_marked_items(const Opcode& opcode) {
  YOLOCU_ASSIGN_OR_RETURN(const auto items, marked());
  const size_t mark_at = marks_.back();
  const size_t below = marks_.size() > 1 ? marks_[marks_.size() - 2] : 0;
  if (mark_at == below)
    return broken(str_cat(opcode.name, " without its container under the MARK"));
  YOLOCU_RETURN_IF_ERROR(set_pairs(stack_[mark_at - 1], items));
  drop_marked();
  return {};
}

}  // namespace yolocu
