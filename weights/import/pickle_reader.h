// The pickle machine behind read_pickle(): a stack, marks, a memo, and a handler for each opcode
// that is allowed. No handler recurses, and none calls anything the pickle names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "weights/import/pickle.h"
#include "yolocu/status.h"

namespace yolocu {

class PickleReader {
 public:
  using Kind = PickleObject::Kind;

  // One line of the table in pickle.cpp.
  struct Opcode {
    uint8_t code = 0;
    const char* name = nullptr;  // null: no opcode of any protocol we know
    Status (PickleReader::*run)(const Opcode&) = nullptr;  // null: refused
    size_t width = 0;         // bytes of the operand or of its length; elements of TUPLE1 to TUPLE3
    Kind kind = Kind::kNone;  // of the object made or extended
  };

  explicit PickleReader(std::span<const std::byte> bytes);
  Result<PickleTree> run();

  // Handlers, by what they do to the stack.
  Status proto(const Opcode&);
  Status frame(const Opcode&);
  Status mark(const Opcode&);
  Status pop_one(const Opcode&);
  Status pop_mark(const Opcode&);
  Status stop(const Opcode&);

  Status push_none(const Opcode&);
  Status push_true(const Opcode&);
  Status push_false(const Opcode&);
  Status push_float(const Opcode&);
  Status push_int(const Opcode&);       // signed, 4 bytes
  Status push_unsigned(const Opcode&);  // width bytes
  Status push_long(const Opcode&);      // a length of width bytes, then two's complement
  Status push_text(const Opcode&);      // a length of width bytes, then kString or kBytes
  Status push_empty(const Opcode&);

  Status tuple_of(const Opcode&);        // TUPLE1 to TUPLE3
  Status collect_marked(const Opcode&);  // TUPLE, FROZENSET
  Status append(const Opcode&);
  Status extend_marked(const Opcode&);  // APPENDS, ADDITEMS
  Status set_item(const Opcode&);
  Status set_marked_items(const Opcode&);

  Status global(const Opcode&);
  Status stack_global(const Opcode&);
  Status reduce(const Opcode&);
  Status new_object(const Opcode&);
  Status build(const Opcode&);
  Status persistent_id(const Opcode&);

  Status put(const Opcode&);
  Status memoize(const Opcode&);
  Status get(const Opcode&);

 private:
  Status step();

  // Input.
  Result<std::span<const std::byte>> take(uint64_t count);
  Result<uint64_t> take_unsigned(size_t width);  // little-endian
  Result<std::string_view> take_line();          // without its newline

  // Stack. What lies under the newest mark is out of reach.
  size_t base() const { return marks_.empty() ? 0 : marks_.back(); }
  Status need(size_t count) const;
  PickleObject* pop();
  // Objects above the newest mark; drop_marked() then removes them and the mark.
  Result<std::span<PickleObject* const>> marked() const;
  void drop_marked();

  // Objects.
  PickleObject* make(Kind kind);
  PickleObject* push(Kind kind);
  Status push_global(std::string_view module, std::string_view name);
  Status push_call(const PickleObject& callee, const PickleObject& arguments);
  Status push_dict(const PickleObject& arguments);
  Status push_set(const PickleObject& arguments);
  Status set_pairs(PickleObject* target, std::span<PickleObject* const> keys_and_values);
  Status store_memo(uint64_t index);
  // Counts references copied from one object into another: memory grows with them, and three bytes
  // of pickle can ask for a million.
  Status spend(size_t copies);

  Status broken(std::string_view what) const;

  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  size_t opcode_at_ = 0;
  bool stopped_ = false;
  size_t copies_ = 0;
  PickleTree tree_;
  PickleObject* none_;  // constants, shared by every reference
  PickleObject* true_;
  PickleObject* false_;
  PickleObject* empty_tuple_;
  std::vector<PickleObject*> stack_;
  std::vector<size_t> marks_;  // stack sizes
  std::vector<PickleObject*> memo_;
};

}  // namespace yolocu
