// A restricted pickle reader: it executes nothing. It builds a tree of plain objects from an
// allow-list of opcodes and globals, and refuses everything else by name.
//
// A GLOBAL is only a name; REDUCE, NEWOBJ and BUILD only record what was asked for (kCall). Which
// calls mean what is decided by the reader above (torch_file.h). Calls of the plain containers
// (OrderedDict, dict, set) are read as the containers they would make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "yolocu/status.h"

namespace yolocu {

struct PickleObject;
using PickleRef = const PickleObject*;  // owned by the PickleTree; may form cycles

struct PickleObject {
  enum class Kind : uint8_t {
    kNone,
    kBool,          // integer 0 or 1
    kInt,           // integer; a LONG beyond int64 is refused
    kFloat,         // number
    kString,        // text, well-formed UTF-8
    kBytes,         // text holds the bytes
    kList,          // items
    kTuple,         // items
    kSet,           // items
    kDict,          // pairs, in order; a later equal key does not remove an earlier one
    kGlobal,        // text = "module name"
    kPersistentId,  // items[0]: the id object
    kCall,          // text = callee's "module name"; items = arguments; state, pairs as below
  };
  Kind kind = Kind::kNone;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<PickleRef> items;
  std::vector<std::pair<PickleRef, PickleRef>> pairs;  // of a dict, or SETITEM on a kCall
  PickleRef state = nullptr;                           // of a kCall or kDict after BUILD

  // The value under a string key of a kDict (or of a kCall's pairs); nullptr if absent. The last
  // one wins.
  PickleRef find(std::string_view key) const;
};

// Owns all objects of one pickle; destroying it never recurses.
class PickleTree {
 public:
  PickleTree() = default;
  PickleTree(PickleTree&&) noexcept = default;
  PickleTree& operator=(PickleTree&&) noexcept = default;
  PickleTree(const PickleTree&) = delete;  // a copy's references would point into the original
  PickleTree& operator=(const PickleTree&) = delete;

  PickleRef root() const { return root_; }
  // Bytes of the input consumed, up to and including STOP (legacy files hold several pickles).
  size_t consumed() const { return consumed_; }
  const std::deque<PickleObject>& objects() const { return objects_; }

 private:
  friend class PickleReader;
  std::deque<PickleObject> objects_;
  PickleRef root_ = nullptr;
  size_t consumed_ = 0;
};

// Reads one pickle of protocol 2 to 5; the bytes may be dropped afterwards. Memory is bounded:
// every length is checked against the remaining input, and there are at most 1,500,000 objects.
// kCorrupt: truncated, stack underflow, unknown memo entry (with the offset); kResourceExhausted:
// too many objects; kUnsupported: "refuses global 'os system' at byte 123: ...",
// "refuses opcode INST (0x69) at byte 7: ...".
Result<PickleTree> read_pickle(std::span<const std::byte> bytes);

// The allow-list: exact names of functions and data types, and for module classes, which are inert
// here, the packages "models.", "torch.nn.modules." and "ultralytics.nn.". `global`: "module name".
bool is_allowed_global(std::string_view global);

}  // namespace yolocu
