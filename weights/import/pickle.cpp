#include "weights/import/pickle.h"

#include <array>

#include "engine/base/str_cat.h"
#include "weights/import/pickle_reader.h"

namespace yolocu {
namespace {

using R = PickleReader;
using Kind = PickleObject::Kind;

// The allow-list of opcodes: what Python's pickler emits for protocols 2 to 5. Those without a
// handler are known, but no checkpoint needs them; they are refused by name.
constexpr R::Opcode kOpcodes[] = {
    {.code = 0x80, .name = "PROTO", .run = &R::proto},
    {.code = 0x95, .name = "FRAME", .run = &R::frame},
    {.code = '(', .name = "MARK", .run = &R::mark},
    {.code = '0', .name = "POP", .run = &R::pop_one},
    {.code = '1', .name = "POP_MARK", .run = &R::pop_mark},
    {.code = '.', .name = "STOP", .run = &R::stop},
    {.code = 'N', .name = "NONE", .run = &R::push_none},
    {.code = 0x88, .name = "NEWTRUE", .run = &R::push_true},
    {.code = 0x89, .name = "NEWFALSE", .run = &R::push_false},
    {.code = 'G', .name = "BINFLOAT", .run = &R::push_float},
    {.code = 'J', .name = "BININT", .run = &R::push_int},
    {.code = 'K', .name = "BININT1", .run = &R::push_unsigned, .width = 1},
    {.code = 'M', .name = "BININT2", .run = &R::push_unsigned, .width = 2},
    {.code = 0x8a, .name = "LONG1", .run = &R::push_long, .width = 1},
    {.code = 0x8b, .name = "LONG4", .run = &R::push_long, .width = 4},
    {.code = 0x8c,
     .name = "SHORT_BINUNICODE",
     .run = &R::push_text,
     .width = 1,
     .kind = Kind::kString},
    {.code = 'X', .name = "BINUNICODE", .run = &R::push_text, .width = 4, .kind = Kind::kString},
    {.code = 0x8d, .name = "BINUNICODE8", .run = &R::push_text, .width = 8, .kind = Kind::kString},
    {.code = 'C', .name = "SHORT_BINBYTES", .run = &R::push_text, .width = 1, .kind = Kind::kBytes},
    {.code = 'B', .name = "BINBYTES", .run = &R::push_text, .width = 4, .kind = Kind::kBytes},
    {.code = 0x8e, .name = "BINBYTES8", .run = &R::push_text, .width = 8, .kind = Kind::kBytes},
    {.code = ']', .name = "EMPTY_LIST", .run = &R::push_empty, .kind = Kind::kList},
    {.code = '}', .name = "EMPTY_DICT", .run = &R::push_empty, .kind = Kind::kDict},
    {.code = 0x8f, .name = "EMPTY_SET", .run = &R::push_empty, .kind = Kind::kSet},
    {.code = ')', .name = "EMPTY_TUPLE", .run = &R::tuple_of, .width = 0},
    {.code = 0x85, .name = "TUPLE1", .run = &R::tuple_of, .width = 1},
    {.code = 0x86, .name = "TUPLE2", .run = &R::tuple_of, .width = 2},
    {.code = 0x87, .name = "TUPLE3", .run = &R::tuple_of, .width = 3},
    {.code = 't', .name = "TUPLE", .run = &R::collect_marked, .kind = Kind::kTuple},
    {.code = 0x91, .name = "FROZENSET", .run = &R::collect_marked, .kind = Kind::kSet},
    {.code = 'a', .name = "APPEND", .run = &R::append},
    {.code = 'e', .name = "APPENDS", .run = &R::extend_marked, .kind = Kind::kList},
    {.code = 0x90, .name = "ADDITEMS", .run = &R::extend_marked, .kind = Kind::kSet},
    {.code = 's', .name = "SETITEM", .run = &R::set_item},
    {.code = 'u', .name = "SETITEMS", .run = &R::set_marked_items},
    {.code = 'c', .name = "GLOBAL", .run = &R::global},
    {.code = 0x93, .name = "STACK_GLOBAL", .run = &R::stack_global},
    {.code = 'R', .name = "REDUCE", .run = &R::reduce},
    {.code = 0x81, .name = "NEWOBJ", .run = &R::new_object},
    {.code = 'b', .name = "BUILD", .run = &R::build},
    {.code = 'Q', .name = "BINPERSID", .run = &R::persistent_id},
    {.code = 'q', .name = "BINPUT", .run = &R::put, .width = 1},
    {.code = 'r', .name = "LONG_BINPUT", .run = &R::put, .width = 4},
    {.code = 0x94, .name = "MEMOIZE", .run = &R::memoize},
    {.code = 'h', .name = "BINGET", .run = &R::get, .width = 1},
    {.code = 'j', .name = "LONG_BINGET", .run = &R::get, .width = 4},
    {.code = 'i', .name = "INST"},
    {.code = 'o', .name = "OBJ"},
    {.code = 'P', .name = "PERSID"},
    {.code = 'd', .name = "DICT"},
    {.code = 'l', .name = "LIST"},
    {.code = '2', .name = "DUP"},
    {.code = 'p', .name = "PUT"},
    {.code = 'g', .name = "GET"},
    {.code = 'F', .name = "FLOAT"},
    {.code = 'I', .name = "INT"},
    {.code = 'L', .name = "LONG"},
    {.code = 'S', .name = "STRING"},
    {.code = 'T', .name = "BINSTRING"},
    {.code = 'U', .name = "SHORT_BINSTRING"},
    {.code = 'V', .name = "UNICODE"},
    {.code = 0x82, .name = "EXT1"},
    {.code = 0x83, .name = "EXT2"},
    {.code = 0x84, .name = "EXT4"},
    {.code = 0x92, .name = "NEWOBJ_EX"},
    {.code = 0x96, .name = "BYTEARRAY8"},
    {.code = 0x97, .name = "NEXT_BUFFER"},
    {.code = 0x98, .name = "READONLY_BUFFER"},
};

constexpr std::array<R::Opcode, 256> opcodes_by_code() {
  std::array<R::Opcode, 256> table{};
  for (const R::Opcode& opcode : kOpcodes) table[opcode.code] = opcode;
  return table;
}
constexpr std::array<R::Opcode, 256> kOpcodeTable = opcodes_by_code();

std::string hex_byte(uint8_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return {'0', 'x', kDigits[value >> 4], kDigits[value & 15]};
}

Status refuse_opcode(uint8_t code, size_t at) {
  const char* name = kOpcodeTable[code].name;
  const std::string shown =
      name == nullptr ? hex_byte(code) : str_cat(name, " (", hex_byte(code), ")");
  return unsupported(str_cat("pickle: refuses opcode ", shown, " at byte ", at,
                             ": no checkpoint that torch.save writes has it"));
}

// 0.3 GB of objects at most; the largest official network with its optimizer state has under
// 500,000.
constexpr size_t kMaxObjects = 1'500'000;

}  // namespace

PickleRef PickleObject::find(std::string_view key) const {
  for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
    if (pair->first->kind == Kind::kString && pair->first->text == key) return pair->second;
  }
  return nullptr;
}

Status PickleReader::step() {
  opcode_at_ = position_;
  YOLOCU_ASSIGN_OR_RETURN(const auto operand, take(1));
  const auto code = std::to_integer<uint8_t>(operand[0]);
  const Opcode& opcode = kOpcodeTable[code];
  if (opcode.run == nullptr) return refuse_opcode(code, opcode_at_);
  YOLOCU_RETURN_IF_ERROR((this->*opcode.run)(opcode));
  return spend(0);
}

Status PickleReader::spend(size_t copies) {
  copies_ += copies;  // both far from overflow: at most the input's size is added at a time
  if (tree_.objects_.size() + copies_ <= kMaxObjects) return {};
  return resource_exhausted(
      str_cat("pickle: more than ", kMaxObjects, " objects at byte ", opcode_at_));
}

Result<PickleTree> PickleReader::run() {
  if (bytes_.empty() || bytes_[0] != std::byte{0x80}) {
    return corrupt("pickle: expected protocol 2 to 5, which begins with byte 0x80");
  }
  while (!stopped_) YOLOCU_RETURN_IF_ERROR(step());
  tree_.consumed_ = position_;
  return std::move(tree_);
}

Result<PickleTree> read_pickle(std::span<const std::byte> bytes) {
  return PickleReader(bytes).run();
}

}  // namespace yolocu
