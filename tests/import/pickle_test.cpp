// What the pickle machine understands. What it refuses: pickle_refusal_test.cpp.
#include "weights/import/pickle.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/import/pickled.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using namespace testing::pickled;  // NOLINT: a vocabulary made for this
using testing::message_of;
using Kind = PickleObject::Kind;

// The tree of a whole pickle; a test failure and an empty tree if it is refused.
PickleTree parse(const std::string& pickle) {
  auto tree = read_pickle(as_bytes(pickle));
  EXPECT_TRUE(tree.ok()) << message_of(tree);
  return tree.ok() ? std::move(*tree) : PickleTree();
}

TEST(Pickle, Constants) {
  EXPECT_EQ(parse(whole("N")).root()->kind, Kind::kNone);
  const PickleTree yes = parse(whole("\x88"));
  const PickleTree no = parse(whole("\x89"));
  EXPECT_EQ(yes.root()->kind, Kind::kBool);
  EXPECT_EQ(yes.root()->integer, 1);
  EXPECT_EQ(no.root()->kind, Kind::kBool);
  EXPECT_EQ(no.root()->integer, 0);
}

TEST(Pickle, Integers) {
  const std::pair<std::string, int64_t> cases[] = {
      {"K\xff", 255},
      {"M\x01\xff", 0xff01},
      {"J\x02" + std::string(3, '\0'), 2},
      {"J" + std::string(4, '\xff'), -1},
      {"J" + std::string("\0\0\0\x80", 4), -2147483648LL},
      {"\x8a" + std::string(1, '\0'), 0},
      {"\x8a\x01\xff", -1},
      {"\x8a\x02\xff" + std::string(1, '\0'), 255},
      {"\x8a\x08" + little_endian(0x8000000000000000u, 8), std::numeric_limits<int64_t>::min()},
      {"\x8a\x09" + little_endian(~uint64_t{0}, 8) + "\xff", -1},  // redundant sign byte
      {"\x8b\x02" + std::string(3, '\0') + "\x34\x12", 0x1234},
  };
  for (const auto& [opcode, expected] : cases) {
    const PickleTree tree = parse(whole(opcode));
    ASSERT_NE(tree.root(), nullptr);
    EXPECT_EQ(tree.root()->kind, Kind::kInt);
    EXPECT_EQ(tree.root()->integer, expected);
  }
}

TEST(Pickle, Floats) {
  // Big-endian: 1.5 is 0x3FF8000000000000.
  const PickleTree tree = parse(whole("G\x3f\xf8" + std::string(6, '\0')));
  EXPECT_EQ(tree.root()->kind, Kind::kFloat);
  EXPECT_EQ(tree.root()->number, 1.5);
}

TEST(Pickle, TextAndBytesOfEveryLengthWidth) {
  const std::string value = "caf\xc3\xa9";
  for (const std::string& opcode :
       {"\x8c" + little_endian(5, 1), "X" + little_endian(5, 4), "\x8d" + little_endian(5, 8)}) {
    const PickleTree tree = parse(whole(opcode + value));
    EXPECT_EQ(tree.root()->kind, Kind::kString);
    EXPECT_EQ(tree.root()->text, value);
  }
  for (const std::string& opcode :
       {"C" + little_endian(2, 1), "B" + little_endian(2, 4), "\x8e" + little_endian(2, 8)}) {
    const PickleTree tree = parse(whole(opcode + "\xff\xfe"));  // bytes need not be UTF-8
    EXPECT_EQ(tree.root()->kind, Kind::kBytes);
    EXPECT_EQ(tree.root()->text, "\xff\xfe");
  }
}

TEST(Pickle, Tuples) {
  const std::pair<std::string, size_t> cases[] = {{")", 0},          {"K\1\x85", 1},
                                                  {"K\1K\2\x86", 2}, {"K\1K\2K\3\x87", 3},
                                                  {"(t", 0},         {"(K\1K\2K\3K\4t", 4}};
  for (const auto& [opcodes, size] : cases) {
    const PickleTree tree = parse(whole(opcodes));
    EXPECT_EQ(tree.root()->kind, Kind::kTuple);
    ASSERT_EQ(tree.root()->items.size(), size);
    for (size_t i = 0; i < size; ++i) {
      EXPECT_EQ(tree.root()->items[i]->integer, static_cast<int64_t>(i + 1));
    }
  }
}

TEST(Pickle, ListsGrowOneByOneAndManyAtOnce) {
  const PickleTree tree = parse(whole("]K\1a(K\2K\3e(e"));
  EXPECT_EQ(tree.root()->kind, Kind::kList);
  ASSERT_EQ(tree.root()->items.size(), 3u);
  EXPECT_EQ(tree.root()->items[2]->integer, 3);
}

TEST(Pickle, Sets) {
  for (const std::string& opcodes :
       {std::string("\x8f(K\1K\2\x90"), std::string("(K\1K\2\x91"),
        reduce(global("__builtin__", "set"), {list({"K\1", "K\2"})}),
        reduce(global("builtins", "frozenset"), {list({"K\1", "K\2"})})}) {
    const PickleTree tree = parse(whole(opcodes));
    EXPECT_EQ(tree.root()->kind, Kind::kSet);
    ASSERT_EQ(tree.root()->items.size(), 2u);
    EXPECT_EQ(tree.root()->items[1]->integer, 2);
  }
}

TEST(Pickle, DictionariesAreFoundByTextAndTheLastEntryWins) {
  const PickleTree tree =
      parse(whole("}" + text("a") + "K\1s(" + text("b") + "K\2K\7K\3" + text("a") + "K\4u"));
  const PickleObject& dict = *tree.root();
  EXPECT_EQ(dict.kind, Kind::kDict);
  EXPECT_EQ(dict.pairs.size(), 4u);
  ASSERT_NE(dict.find("a"), nullptr);
  EXPECT_EQ(dict.find("a")->integer, 4);
  EXPECT_EQ(dict.find("b")->integer, 2);
  EXPECT_EQ(dict.find("c"), nullptr);
  EXPECT_EQ(dict.find(""), nullptr);
}

TEST(Pickle, OrderedDictionaries) {
  const std::string ordered = global("collections", "OrderedDict");
  const std::string pairs = list({tuple({text("a"), "K\1"}), list({text("b"), "K\2"})});
  for (const std::string& opcodes :
       {ordered + ")R(" + text("a") + "K\1" + text("b") + "K\2u", reduce(ordered, {pairs}),
        reduce(global("__builtin__", "dict"), {pairs})}) {
    const PickleTree tree = parse(whole(opcodes));
    EXPECT_EQ(tree.root()->kind, Kind::kDict);
    ASSERT_EQ(tree.root()->pairs.size(), 2u);
    EXPECT_EQ(tree.root()->find("b")->integer, 2);
  }
}

// What state_dict() returns: an OrderedDict with an attribute.
TEST(Pickle, DictionaryWithAttributes) {
  const std::string opcodes =
      global("collections", "OrderedDict") + ")R" + record({{"_metadata", kNone}}) + "b";
  const PickleTree tree = parse(whole(opcodes));
  EXPECT_EQ(tree.root()->kind, Kind::kDict);
  ASSERT_NE(tree.root()->state, nullptr);
  EXPECT_NE(tree.root()->state->find("_metadata"), nullptr);
}

TEST(Pickle, CallsAreOnlyRecorded) {
  const PickleTree tree = parse(
      whole(reduce(global("__builtin__", "getattr"), {text("module"), text("forward_fuse")})));
  const PickleObject& call = *tree.root();
  EXPECT_EQ(call.kind, Kind::kCall);
  EXPECT_EQ(call.text, "__builtin__ getattr");
  ASSERT_EQ(call.items.size(), 2u);
  EXPECT_EQ(call.items[1]->text, "forward_fuse");
}

TEST(Pickle, InstancesHaveStateAndItems) {
  const PickleTree tree = parse(whole(
      instance(global("models.common", "Conv"), record({{"i", "K\5"}})) + text("key") + "K\6s"));
  const PickleObject& module = *tree.root();
  EXPECT_EQ(module.kind, Kind::kCall);
  EXPECT_EQ(module.text, "models.common Conv");
  ASSERT_NE(module.state, nullptr);
  EXPECT_EQ(module.state->find("i")->integer, 5);
  EXPECT_EQ(module.find("key")->integer, 6);
}

// Protocol 2 has no bytes: they come as Latin-1 text with its name.
TEST(Pickle, BytesOfProtocolTwo) {
  const PickleTree tree =
      parse(whole(reduce(global("_codecs", "encode"), {text("\xc3\xbf"), text("latin1")})));
  EXPECT_EQ(tree.root()->text, "_codecs encode");
  EXPECT_EQ(tree.root()->items[0]->text, "\xc3\xbf");
}

TEST(Pickle, PersistentIds) {
  const PickleTree tree = parse(whole(tuple({text("storage"), text("7")}) + "Q"));
  EXPECT_EQ(tree.root()->kind, Kind::kPersistentId);
  ASSERT_EQ(tree.root()->items.size(), 1u);
  EXPECT_EQ(tree.root()->items[0]->items[1]->text, "7");
}

TEST(Pickle, MemoOfEveryWidth) {
  const PickleTree tree =
      parse(whole("(K\5q" + little_endian(0, 1) + "K\6r" + little_endian(1, 4) + "K\7\x94" + "h" +
                  little_endian(2, 1) + "j" + little_endian(0, 4) + "t"));
  ASSERT_EQ(tree.root()->items.size(), 5u);
  EXPECT_EQ(tree.root()->items[3]->integer, 7);
  EXPECT_EQ(tree.root()->items[4], tree.root()->items[0]);  // the same object, not a copy
}

TEST(Pickle, PopAndPopMark) {
  const PickleTree tree =
      parse(whole("K\1K\2"
                  "0"
                  "(K\3K\4"
                  "1"));
  EXPECT_EQ(tree.root()->integer, 1);
}

TEST(Pickle, ProtocolFour) {
  const std::string body = "\x8c" + little_endian(13, 1) + "models.common\x94\x8c" +
                           little_endian(4, 1) + "Conv\x94\x93\x94)\x81\x94}\x94" + "b.";
  const PickleTree tree = parse("\x80\x04\x95" + little_endian(body.size(), 8) + body);
  EXPECT_EQ(tree.root()->kind, Kind::kCall);
  EXPECT_EQ(tree.root()->text, "models.common Conv");
}

TEST(Pickle, StopsAtStop) {
  const std::string pickle = whole("K\1");
  const PickleTree tree = parse(pickle + "cos\nsystem\n");
  EXPECT_EQ(tree.consumed(), pickle.size());
}

TEST(Pickle, TreeOutlivesItsBytesAndCanBeMoved) {
  PickleTree moved;
  {
    std::string pickle =
        whole(list({text("a text too long to lie inside of the string object"), "N"}));
    PickleTree tree = parse(pickle);
    pickle.assign(pickle.size(), '\0');
    moved = std::move(tree);
  }
  EXPECT_EQ(moved.root()->items[0]->text, "a text too long to lie inside of the string object");
  EXPECT_EQ(moved.root()->items[1]->kind, Kind::kNone);
}

TEST(Pickle, SelfReferences) {
  const PickleTree tree = parse(whole("]q" + little_endian(0, 1) + recall(0) + "a"));
  EXPECT_EQ(tree.root()->items[0], tree.root());
}

// A million tuples in each other, read and destroyed without using the call stack.
TEST(Pickle, DeepNesting) {
  constexpr size_t kDepth = 1'000'000;
  const PickleTree tree = parse(whole("N" + std::string(kDepth, '\x85')));
  size_t depth = 0;
  for (PickleRef at = tree.root(); at->kind == Kind::kTuple; at = at->items[0]) ++depth;
  EXPECT_EQ(depth, kDepth);
}

TEST(Pickle, AllowedGlobals) {
  for (const char* name :
       {"torch._utils _rebuild_tensor_v2", "collections OrderedDict", "torch HalfStorage",
        "models.yolo DetectionModel", "torch.nn.modules.container ModuleList",
        "ultralytics.nn.modules.block C2f", "numpy._core.multiarray scalar"}) {
    EXPECT_TRUE(is_allowed_global(name)) << name;
  }
}

}  // namespace
}  // namespace yolocu
